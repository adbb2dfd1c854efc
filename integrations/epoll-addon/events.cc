// eventfds: a descriptor that any thread may make readable.
//
// Knows no poller. Writing takes a number from another thread, whose table is not ours, so the
// kernel is asked whether it is an eventfd at all. Source: eventfd(2), proc(5).
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

// eventCreate() -> fd or -errno
static napi_value JS_eventCreate(napi_env env, napi_callback_info info) {
  Args<0> args(env, info, "eventCreate");
  return number(env,
                take_fd(args.addon, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), FdKind::kEvent));
}

static bool is_eventfd(int fd) {
  char link[64];
  char target[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, target, sizeof target);
  static const char kExpected[] = "anon_inode:[eventfd]";
  return size == sizeof kExpected - 1 && memcmp(target, kExpected, sizeof kExpected - 1) == 0;
}

// eventWrite(fd) -> 0 or -errno. Any eventfd of the process, this thread's or another's.
static napi_value JS_eventWrite(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "wake");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (fd <= 2) return number(env, -EBADF);
  if (args.addon->fds.kind(fd) != FdKind::kEvent && !is_eventfd(fd)) return number(env, -EBADF);
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
  args.addon->fds.set(fd, FdKind::kNone);
  close(fd);
  return number(env, 0);
}

void export_events(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "eventCreate", JS_eventCreate);
  export_function(env, exports, addon, "eventWrite", JS_eventWrite);
  export_function(env, exports, addon, "eventDrain", JS_eventDrain);
  export_function(env, exports, addon, "eventClose", JS_eventClose);
}

}  // namespace extpoll
