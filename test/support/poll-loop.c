/* A program's loop in C, over poll(2): a timer of its own, and one descriptor that it knows nothing
 * of. It owns the thread: JavaScript runs only where it calls it.
 *
 * run(fd, counts, serve, nextTimeout, tickMs): until serve() answers false. counts is an
 * Int32Array: wake-ups, calls of serve, ticks of the timer. Source: poll(2), timerfd_create(2).
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <poll.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { kWakeUps, kServed, kTicks, kCounts };

/* Answers 0 where JavaScript threw. */
static int call(napi_env env, napi_value function, napi_value *result) {
  napi_value undefined;
  napi_get_undefined(env, &undefined);
  return napi_call_function(env, undefined, function, 0, NULL, result) == napi_ok;
}

static int open_timer(int tick_ms) {
  const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  const struct timespec tick = {tick_ms / 1000, tick_ms % 1000 * 1000000L};
  const struct itimerspec every = {tick, tick};
  timerfd_settime(fd, 0, &every, NULL);
  return fd;
}

static void loop(napi_env env, int fd, int timer_fd, int32_t *counts, napi_value serve,
                 napi_value next_timeout) {
  bool more = true;
  while (more) {
    napi_value value;
    int timeout_ms = -1;
    if (!call(env, next_timeout, &value)) return;
    napi_get_value_int32(env, value, &timeout_ms);
    struct pollfd pollfds[] = {{fd, POLLIN, 0}, {timer_fd, POLLIN, 0}};
    const int ready = poll(pollfds, 2, timeout_ms);
    counts[kWakeUps]++;
    uint64_t expired;
    if (pollfds[1].revents != 0 && read(timer_fd, &expired, sizeof expired) == sizeof expired) {
      counts[kTicks] += (int32_t)expired;
    }
    if (ready > 0 && pollfds[0].revents == 0) continue;
    counts[kServed]++;
    if (!call(env, serve, &value)) return;
    napi_get_value_bool(env, value, &more);
  }
}

static napi_value run(napi_env env, napi_callback_info info) {
  napi_value args[5];
  size_t count = 5;
  int fd, tick_ms;
  int32_t *counts;
  size_t length = 0;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  napi_get_value_int32(env, args[0], &fd);
  napi_get_typedarray_info(env, args[1], NULL, &length, (void **)&counts, NULL, NULL);
  napi_get_value_int32(env, args[4], &tick_ms);
  if (length < kCounts) return NULL;
  const int timer_fd = open_timer(tick_ms);
  loop(env, fd, timer_fd, counts, args[2], args[3]);
  close(timer_fd);
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "run", NAPI_AUTO_LENGTH, run, NULL, &function);
  napi_set_named_property(env, exports, "run", function);
  return exports;
}
