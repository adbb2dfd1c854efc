// A set under Node's own loop: its epoll descriptor, polled by one uv_poll_t, calls JavaScript.
//
// Knows no event of the set and no deadline of a context: that something is ready is all it tells.
// Closed with its poller. Source: libuv's uv_poll_t and uv_close; Node-API, "Script execution".
#include <errno.h>
#include <uv.h>

#include "addon.h"

namespace extpoll {

struct UvPoll {
  uv_poll_t handle;
  uv_timer_t timer;  // calls no JavaScript: ends what end_turn of shared.cc began
  PollerSlot* poller = nullptr;
  int open_handles = 2;
  napi_env env = nullptr;
  napi_async_context context = nullptr;
  napi_ref on_ready = nullptr;  // strong while active, so that a host nobody holds can be collected
  bool active = false;
  bool closing = false;
  bool closed = false;
  int calls = 0;  // more than 1 where a callback of the application turns the loop itself
};

// What belongs to the environment goes while there is one: it may be gone when libuv has closed the
// handle. Not below a call that still uses it.
static void drop_javascript(UvPoll* poll) {
  napi_async_destroy(poll->env, poll->context);
  napi_delete_reference(poll->env, poll->on_ready);
}

static void on_closed(uv_handle_t* handle) {
  UvPoll* poll = static_cast<UvPoll*>(handle->data);
  if (--poll->open_handles > 0) return;
  poll->closed = true;
  if (poll->calls == 0) delete poll;
}

static void on_timer(uv_timer_t* timer) {
  const UvPoll* poll = static_cast<UvPoll*>(timer->data);
  // libuv's clock stands still during an iteration, so it may be early.
  if (sit_out(poll->poller)) uv_timer_start(timer, on_timer, 1, 0);
}

void begin_to_sit_out(UvPoll* poll) { uv_timer_start(&poll->timer, on_timer, 1, 0); }

// Called in cleanup hooks too, where uv_poll_stop alone would leave the loop with an open handle,
// and Node aborts.
void close_uv_poll(UvPoll* poll) {
  if (poll == nullptr) return;
  poll->closing = true;
  if (poll->calls == 0) drop_javascript(poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll->handle), on_closed);
  uv_close(reinterpret_cast<uv_handle_t*>(&poll->timer), on_closed);
}

// Through napi_make_callback, so that promises, process.nextTick and domains run as after any
// callback of Node's. What it throws nobody catches: an uncaughtException.
static void call_javascript(UvPoll* poll) {
  napi_env env = poll->env;
  napi_value global = nullptr;
  napi_value function = nullptr;
  if (napi_get_global(env, &global) != napi_ok) return;
  if (napi_get_reference_value(env, poll->on_ready, &function) != napi_ok) return;
  if (function == nullptr) return;
  const napi_status status =
      napi_make_callback(env, poll->context, global, function, 0, nullptr, nullptr);
  if (status != napi_pending_exception) return;
  bool pending = false;
  napi_value error = nullptr;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  // Refused where the thread is being terminated, and then nobody is left to hear of it.
  if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

static void on_readable(uv_poll_t* handle, int, int) {
  UvPoll* poll = static_cast<UvPoll*>(handle->data);
  napi_env env = poll->env;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  ++poll->calls;
  call_javascript(poll);
  if (--poll->calls == 0 && poll->closing) {
    drop_javascript(poll);
    if (poll->closed) delete poll;
  }
  napi_close_handle_scope(env, scope);
}

static napi_status hold_javascript(napi_env env, napi_value function, UvPoll* poll) {
  napi_value name = nullptr;
  poll->env = env;
  napi_status status = napi_create_string_utf8(env, "extpoll", NAPI_AUTO_LENGTH, &name);
  if (status == napi_ok) status = napi_create_reference(env, function, 0, &poll->on_ready);
  if (status == napi_ok) status = napi_async_init(env, nullptr, name, &poll->context);
  return status;
}

static PollerSlot* poller_of(const Args<2>& args) {
  int id = 0;
  if (!args.integer(0, "poller id", kIdRange, &id)) return nullptr;
  PollerSlot* poller = args.addon->pollers.find(id);
  if (poller == nullptr) {
    throw_code(args.env, "ERR_EXTPOLL_POLLER_CLOSED", args.fn,
               "there is no such poller, or it was closed.");
  }
  return poller;
}

// uvPollOpen(poller id, onReadable) -> 0 or -errno. Watches nothing until uvPollActive, and until
// then it is the caller who holds onReadable.
static napi_value JS_uvPollOpen(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "uvPollOpen");
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr) return nullptr;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, args.values[1], &type);
  if (type != napi_function) {
    throw_type(env, args.fn, "onReadable", "a function");
    return nullptr;
  }
  if (poller->epoll_fd < 0) return number(env, -EINVAL);
  if (poller->uv_poll != nullptr) return number(env, -EEXIST);
  // One binary for many a libuv: its structs may not outgrow those of the headers.
  if (uv_handle_size(UV_POLL) > sizeof(uv_poll_t)) return number(env, -ENOSYS);
  if (uv_handle_size(UV_TIMER) > sizeof(uv_timer_t)) return number(env, -ENOSYS);
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return number(env, -ENOSYS);
  UvPoll* poll = new UvPoll;
  const int result = uv_poll_init(loop, &poll->handle, poller->epoll_fd);
  if (result < 0) {
    delete poll;
    return number(env, result);
  }
  uv_timer_init(loop, &poll->timer);
  uv_unref(reinterpret_cast<uv_handle_t*>(&poll->timer));
  poll->handle.data = poll;
  poll->timer.data = poll;
  poll->poller = poller;
  poller->uv_poll = poll;
  return number(env, hold_javascript(env, args.values[1], poll) == napi_ok ? 0 : -ENOMEM);
}

template <typename F>
static napi_value with_flag(const Args<2>& args, const char* name, F apply) {
  bool flag = false;
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr || !args.boolean(1, name, &flag)) return nullptr;
  return number(args.env, poller->uv_poll == nullptr ? -EINVAL : apply(poller->uv_poll, flag));
}

static int set_active(UvPoll* poll, bool active) {
  if (poll->active == active) return 0;
  const int result = active ? uv_poll_start(&poll->handle, UV_READABLE, on_readable)
                            : uv_poll_stop(&poll->handle);
  if (result < 0) return result;
  poll->active = active;
  uint32_t count = 0;
  if (active) {
    napi_reference_ref(poll->env, poll->on_ready, &count);
  } else {
    napi_reference_unref(poll->env, poll->on_ready, &count);
  }
  return 0;
}

// uvPollActive(poller id, active) -> 0 or -errno. Active, it keeps the loop alive, unless unref'd.
static napi_value JS_uvPollActive(napi_env env, napi_callback_info info) {
  return with_flag(Args<2>(env, info, "uvPollActive"), "active", set_active);
}

// uvPollRef(poller id, ref) -> 0 or -errno
static napi_value JS_uvPollRef(napi_env env, napi_callback_info info) {
  return with_flag(Args<2>(env, info, "uvPollRef"), "ref", [](UvPoll* poll, bool ref) {
    uv_handle_t* handle = reinterpret_cast<uv_handle_t*>(&poll->handle);
    ref ? uv_ref(handle) : uv_unref(handle);
    return 0;
  });
}

void export_uv_poll(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "uvPollOpen", JS_uvPollOpen);
  export_function(env, exports, addon, "uvPollActive", JS_uvPollActive);
  export_function(env, exports, addon, "uvPollRef", JS_uvPollRef);
}

}  // namespace extpoll
