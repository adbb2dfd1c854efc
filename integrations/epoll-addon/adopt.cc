// Sockets that others opened: taken over, given away, and given back as they were.
//
// Knows no context. Source: fcntl(2), socket(7), tcp(7) of Linux.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

// What adopt changed of a socket, so that release can undo it.
constexpr uint32_t kWasBlocking = 1;
constexpr uint32_t kWasInherited = 2;
constexpr uint32_t kHadDelay = 4;
constexpr Range kChangesRange{0, 7};

static int option_of(int fd, int level, int name, int* value) {
  socklen_t size = sizeof *value;
  return getsockopt(fd, level, name, value, &size) == 0 ? 0 : -errno;
}

static int make_ours(Addon* addon, int fd, bool tcp) {
  uint32_t changes = 0;
  const int flags = fcntl(fd, F_GETFL);
  const int fd_flags = fcntl(fd, F_GETFD);
  if (flags < 0 || fd_flags < 0) return -errno;
  if ((flags & O_NONBLOCK) == 0) {
    if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
    changes |= kWasBlocking;
  }
  if ((fd_flags & FD_CLOEXEC) == 0) {
    fcntl(fd, F_SETFD, fd_flags | FD_CLOEXEC);
    changes |= kWasInherited;
  }
  int no_delay = 1;
  if (tcp && option_of(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay) == 0 && no_delay == 0) {
    set_no_delay(fd);
    changes |= kHadDelay;
  }
  addon->fds.set(fd, tcp ? FdKind::kTcp : FdKind::kSocket);
  return static_cast<int>(changes);
}

// adopt(fd) -> what was changed or -errno; -EEXIST for a socket that is ours and could be adopted.
// From now on the descriptor is ours: non-blocking, close-on-exec.
static napi_value JS_adopt(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "adopt");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  struct stat about;
  if (fd <= 2 || !status_of_fd(fd, &about)) return number(env, -EBADF);
  if (!S_ISSOCK(about.st_mode)) return number(env, -ENOTSOCK);
  int type = 0;
  int domain = 0;
  int listens = 0;
  int failed = option_of(fd, SOL_SOCKET, SO_TYPE, &type);
  if (failed == 0) failed = option_of(fd, SOL_SOCKET, SO_DOMAIN, &domain);
  if (failed == 0) failed = option_of(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens);
  if (failed != 0) return number(env, failed);
  if (type != SOCK_STREAM) return number(env, -EPROTOTYPE);
  if (listens) return number(env, -EISCONN);
  if (args.addon->fds.kind(fd) != FdKind::kNone) return number(env, -EEXIST);
  return number(env, make_ours(args.addon, fd, domain == AF_INET || domain == AF_INET6));
}

// duplicate(fd) -> fd or -errno: a second descriptor of the same socket, close-on-exec, nobody's
// yet. Closing the first then ends nothing, and sends nothing.
static napi_value JS_duplicate(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "duplicate");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (fd <= 2) return number(env, -EBADF);
  const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return number(env, copy < 0 ? -errno : copy);
}

static void undo(int fd, uint32_t changes) {
  if ((changes & kWasBlocking) != 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
  if ((changes & kWasInherited) != 0) fcntl(fd, F_SETFD, fcntl(fd, F_GETFD) & ~FD_CLOEXEC);
  const int off = 0;
  if ((changes & kHadDelay) != 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof off);
}

// release(fd, changes) -> 0 or -errno. The descriptor stays open and is the caller's again; of what
// adopt changed, `changes` are undone.
static napi_value JS_release(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "release");
  int fd = 0;
  uint32_t changes = 0;
  if (!args.fd(0, &fd) || !args.integer(1, "changes", kChangesRange, &changes)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  forget_unix_path(args.addon, fd, false);
  forget_shared(args.addon, fd);
  forget_spare(args.addon, fd);
  args.addon->fds.set(fd, FdKind::kNone);
  undo(fd, changes);
  return number(env, 0);
}

void export_adopt(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "adopt", JS_adopt);
  export_function(env, exports, addon, "duplicate", JS_duplicate);
  export_function(env, exports, addon, "release", JS_release);
}

}  // namespace extpoll
