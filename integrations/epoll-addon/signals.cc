// Signals that become readable descriptors: a sigaction handler that writes to eventfds.
//
// signalfd would not do: Node's other threads take the signal before it. The state is of the whole
// process, as in events.cc and shared.cc, because signal dispositions are. Only the main thread
// changes it; the handler runs on any thread. Source: sigaction(2), signal-safety(7), eventfd(2).
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "addon.h"

namespace extpoll {

constexpr int kSignals = 32;  // 1 to 31: those that have names everywhere on Linux
constexpr int kWatches = 32;

struct Watch {
  std::atomic<int> fd;
  std::atomic<uint32_t> mask;     // bit n: signal n is watched
  std::atomic<uint32_t> pending;  // bit n: signal n came since the last read
};

// Zero at load; a watch with an empty mask is free. Never deallocated, so the handler may look at
// any time.
static Watch watches[kWatches];
static std::atomic<int> handlers_running;
static struct sigaction previous[kSignals];
static int watchers_of[kSignals];

static_assert(std::atomic<int>::is_always_lock_free, "the handler must not take a lock");

static void on_signal(int signal) {
  const int saved_errno = errno;
  const uint32_t bit = 1u << signal;
  ++handlers_running;
  for (Watch& watch : watches) {
    if ((watch.mask & bit) == 0) continue;
    watch.pending |= bit;
    const uint64_t one = 1;
    // A full counter (EAGAIN) is readable already, and nothing else can be done about a failure.
    const ssize_t written = write(watch.fd, &one, sizeof one);
    static_cast<void>(written);
  }
  --handlers_running;
  errno = saved_errno;
}

static bool on_main_thread() { return syscall(SYS_gettid) == getpid(); }

static bool is_refused(int signal) {
  switch (signal) {
    case SIGKILL:  // the kernel refuses these two
    case SIGSTOP:
    case SIGSEGV:  // faults: returning from the handler would repeat them for ever
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGCHLD:  // libuv's: without it no child process would ever be seen to end
    case SIGPROF:  // V8's profiler
      return true;
    default:
      return false;
  }
}

static int install(int signal) {
  if (watchers_of[signal]++ > 0) return 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(signal, &action, &previous[signal]) == 0) return 0;
  --watchers_of[signal];
  return -errno;
}

// Puts back what was there, unless somebody else put in a handler after us.
static void uninstall(int signal) {
  if (--watchers_of[signal] > 0) return;
  struct sigaction current;
  if (sigaction(signal, nullptr, &current) != 0) return;
  const bool ours = (current.sa_flags & SA_SIGINFO) == 0 && current.sa_handler == on_signal;
  if (ours) sigaction(signal, &previous[signal], nullptr);
}

static void uninstall_all(uint32_t mask) {
  for (int signal = 1; signal < kSignals; ++signal) {
    if ((mask & 1u << signal) != 0) uninstall(signal);
  }
}

static Watch* watch_of(int fd) {
  for (Watch& watch : watches) {
    if (watch.mask != 0 && watch.fd == fd) return &watch;
  }
  return nullptr;
}

static Watch* free_watch() {
  for (Watch& watch : watches) {
    if (watch.mask == 0) return &watch;
  }
  return nullptr;
}

static void end_watch(Addon* addon, Watch* watch) {
  const uint32_t mask = watch->mask;
  const int fd = watch->fd;
  uninstall_all(mask);
  watch->mask = 0;
  // A handler that saw the mask may be about to write on another thread: the number must not be
  // reused before it has. On this thread none can be in the middle.
  while (handlers_running != 0) sched_yield();
  watch->pending = 0;
  addon->fds.set(fd, FdKind::kNone);
  close(fd);
}

void release_signals(Addon* addon) {
  for (Watch& watch : watches) {
    const bool ours = watch.mask != 0 && addon->fds.kind(watch.fd) == FdKind::kSignal;
    if (ours && on_main_thread()) end_watch(addon, &watch);
  }
}

// signalsWatch(mask) -> fd or -errno. -EPERM: not the main thread. -EINVAL: one of them is refused.
static napi_value JS_signalsWatch(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "watchSignals");
  uint32_t mask = 0;
  if (!args.integer(0, "signal mask", {0, 4294967295.0}, &mask)) return nullptr;
  if (!on_main_thread()) return number(env, -EPERM);
  if (mask == 0 || (mask & 1u) != 0) return number(env, -EINVAL);
  for (int signal = 1; signal < kSignals; ++signal) {
    if ((mask & 1u << signal) != 0 && is_refused(signal)) return number(env, -EINVAL);
  }
  Watch* watch = free_watch();
  if (watch == nullptr) return number(env, -ENOSPC);
  const int fd = take_fd(args.addon, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), FdKind::kSignal);
  if (fd < 0) return number(env, fd);
  watch->fd = fd;
  watch->pending = 0;
  watch->mask = mask;
  for (int signal = 1; signal < kSignals; ++signal) {
    if ((mask & 1u << signal) == 0) continue;
    const int failed = install(signal);
    if (failed == 0) continue;
    uninstall_all(mask & ((1u << signal) - 1));
    watch->mask = 1;  // nothing left to uninstall
    end_watch(args.addon, watch);
    return number(env, failed);
  }
  return number(env, fd);
}

// signalsRead(fd) -> mask of the signals that came since the last read, or -errno
static napi_value JS_signalsRead(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "signalsRead");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kSignal) return number(env, -EBADF);
  Watch* watch = watch_of(fd);
  if (watch == nullptr) return number(env, -EBADF);
  // Drained first: a signal between the two is then reported now, and wakes once for nothing.
  uint64_t count = 0;
  ssize_t taken;
  do {
    taken = read(fd, &count, sizeof count);
  } while (taken < 0 && errno == EINTR);
  // Bit 31 is SIGSYS; as a plain integer the mask would be negative like an error.
  napi_value result = nullptr;
  napi_create_double(env, static_cast<double>(watch->pending.exchange(0)), &result);
  return result;
}

// signalsClose(fd) -> 0 or -errno. What the signals did before is restored.
static napi_value JS_signalsClose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "signalsClose");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kSignal) return number(env, -EBADF);
  Watch* watch = watch_of(fd);
  if (watch == nullptr) return number(env, -EBADF);
  end_watch(args.addon, watch);
  return number(env, 0);
}

void export_signals(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "signalsWatch", JS_signalsWatch);
  export_function(env, exports, addon, "signalsRead", JS_signalsRead);
  export_function(env, exports, addon, "signalsClose", JS_signalsClose);
}

}  // namespace extpoll
