// eventfds: a descriptor that any thread may make readable.
//
// Knows no poller. Writing takes a number from another thread, whose table is not ours, so which of
// them there are is known to the process. Source: eventfd(2).
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <mutex>

#include "addon.h"

namespace extpoll {

// By number: whether it is an eventfd of ours. Whoever closes one takes it out before, so what a
// thread writes to under the lock cannot be somebody else's by then. Never destroyed: a thread may
// still wake another when the process ends.
static std::mutex& events_mutex = *new std::mutex;
static std::vector<bool>& events = *new std::vector<bool>;

using Lock = std::lock_guard<std::mutex>;

int open_event(Addon* addon) {
  const int fd = take_fd(addon, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), FdKind::kEvent);
  if (fd < 0) return fd;
  const Lock lock(events_mutex);
  const size_t index = static_cast<size_t>(fd);
  if (index >= events.size()) events.resize(index + 1);
  events[index] = true;
  return fd;
}

void close_event(Addon* addon, int fd) {
  {
    const Lock lock(events_mutex);
    events[static_cast<size_t>(fd)] = false;
  }
  addon->fds.set(fd, FdKind::kNone);
  close(fd);
}

// eventCreate() -> fd or -errno
static napi_value JS_eventCreate(napi_env env, napi_callback_info info) {
  Args<0> args(env, info, "eventCreate");
  return number(env, open_event(args.addon));
}

// eventWrite(fd) -> 0 or -errno. One of this thread's, or of another's.
static napi_value JS_eventWrite(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "wake");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  const Lock lock(events_mutex);
  const bool known = fd >= 0 && static_cast<size_t>(fd) < events.size() && events[fd];
  if (!known) return number(env, -EBADF);
  const uint64_t one = 1;
  ssize_t written;
  do {
    written = write(fd, &one, sizeof one);
  } while (written < 0 && errno == EINTR);
  // EAGAIN: the counter is full, so the descriptor is readable already.
  return number(env, written < 0 && errno != EAGAIN ? -errno : 0);
}

// eventDrain(fd) -> 1 where it had been written to, 0 where not, or -errno
static napi_value JS_eventDrain(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "eventDrain");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kEvent) return number(env, -EBADF);
  uint64_t count = 0;
  ssize_t taken;
  do {
    taken = read(fd, &count, sizeof count);
  } while (taken < 0 && errno == EINTR);
  return number(env, taken > 0 ? 1 : errno == EAGAIN ? 0 : -errno);
}

// eventClose(fd) -> 0 or -errno
static napi_value JS_eventClose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "eventClose");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kEvent) return number(env, -EBADF);
  bool of_poller = false;
  args.addon->pollers.each([&](PollerSlot* poller) { of_poller |= poller->wake_fd == fd; });
  if (of_poller) return number(env, -EBUSY);
  close_event(args.addon, fd);
  return number(env, 0);
}

void export_events(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "eventCreate", JS_eventCreate);
  export_function(env, exports, addon, "eventWrite", JS_eventWrite);
  export_function(env, exports, addon, "eventDrain", JS_eventDrain);
  export_function(env, exports, addon, "eventClose", JS_eventClose);
}

}  // namespace extpoll
