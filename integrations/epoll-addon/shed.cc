// Out of descriptors: each listener keeps a spare one, with which a connection that waits is
// accepted, told why in a few bytes, and closed, so that its peer need not run into a timeout.
//
// Knows no HTTP: the farewell is the caller's. Source: accept(2), EMFILE.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

constexpr size_t kUnreadBytes = 65536;

static int open_spare() { return above_standard(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void keep_spare(Addon* addon, int listen_fd) {
  addon->spares.push_back({listen_fd, open_spare()});
}

void forget_spare(Addon* addon, int listen_fd) {
  for (size_t i = 0; i < addon->spares.size(); ++i) {
    if (addon->spares[i].listen_fd != listen_fd) continue;
    if (addon->spares[i].fd >= 0) close(addon->spares[i].fd);
    addon->spares.erase(addon->spares.begin() + static_cast<ptrdiff_t>(i));
    return;
  }
}

// What the peer sent is read first: closing over unread bytes would reset our words away.
static void say_and_close(int fd, const uint8_t* farewell, size_t length) {
  static thread_local uint8_t unread[kUnreadBytes];
  if (recv(fd, unread, sizeof unread, MSG_DONTWAIT) < 0 && errno != EAGAIN) {
    close(fd);
    return;
  }
  if (send(fd, farewell, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) shutdown(fd, SHUT_WR);
  close(fd);
}

static int shed_one(Spare* spare, const uint8_t* farewell, size_t length) {
  if (spare->fd >= 0) close(spare->fd);
  spare->fd = -1;
  int fd;
  do {
    fd = accept4(spare->listen_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  const int failed = fd < 0 ? errno : 0;
  if (fd >= 0) say_and_close(fd, farewell, length);
  spare->fd = open_spare();
  return failed == 0 ? 0 : -failed;
}

// shed(listenFd, farewell) -> 0: one was shed, or -errno: -EAGAIN where none waits
static napi_value JS_shed(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "shed");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  bool is_typed = false;
  napi_is_typedarray(env, args.values[1], &is_typed);
  napi_typedarray_type type = napi_float64_array;
  size_t length = 0;
  void* data = nullptr;
  if (is_typed) {
    napi_get_typedarray_info(env, args.values[1], &type, &length, &data, nullptr, nullptr);
  }
  if (type != napi_uint8_array) {
    throw_type(env, args.fn, "farewell", "a Uint8Array");
    return nullptr;
  }
  for (Spare& spare : args.addon->spares) {
    if (spare.listen_fd != fd) continue;
    return number(env, shed_one(&spare, static_cast<const uint8_t*>(data), length));
  }
  return number(env, -EBADF);
}

void export_shed(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "shed", JS_shed);
}

}  // namespace extpoll
