// Bytes over sockets: recv, send, accept, close. The hot path of the addon.
//
// Knows no address (addresses.cc) and never waits. Results are counts, descriptors or -errno; a
// descriptor that this environment neither made nor adopted is -EBADF, and 0 to 2 always are.
// Source: recv(2), sendmsg(2), accept4(2), socket(7), tcp(7) of Linux.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "addon.h"
#include "sanitizer.h"

namespace extpoll {

constexpr uint32_t kMaxParts = 64;
constexpr int64_t kLeastRoomBytes = 16384;  // with less, recvEach leaves the rest to the next call

int above_standard(int fd) {
  if (fd < 0) return -errno;
  if (fd > 2) return fd;
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  const int error = errno;
  close(fd);
  return moved < 0 ? -error : moved;
}

int take_fd(Addon* addon, int fd, FdKind kind) {
  const int taken = above_standard(fd);
  if (taken >= 0) addon->fds.set(taken, kind);
  return taken;
}

void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int result_of(ssize_t count) { return count < 0 ? -errno : static_cast<int>(count); }

// The two calls of the hot path, without libc's wrappers: those are cancellation points, which cost
// two locked instructions each in a process with threads. Nobody cancels Node's threads. The
// sanitizer knows the wrappers only.
static ssize_t receive_now(int fd, const Span& span) {
  if (kSanitized) return recv(fd, span.data, span.length, MSG_DONTWAIT);
  return syscall(SYS_recvfrom, fd, span.data, span.length, MSG_DONTWAIT, nullptr, nullptr);
}

static ssize_t send_now(int fd, const Span& span) {
  const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (kSanitized) return send(fd, span.data, span.length, flags);
  return syscall(SYS_sendto, fd, span.data, span.length, flags, nullptr, 0);
}

static int receive_one(const FdTable& fds, int fd, const Span& span) {
  if (!fds.is_socket(fd)) return -EBADF;
  ssize_t count;
  do {
    count = receive_now(fd, span);
  } while (count < 0 && errno == EINTR);
  return result_of(count);
}

// recv(fd, buffer id, offset, length) -> bytes, 0 at the end, or -errno
static napi_value JS_recv(napi_env env, napi_callback_info info) {
  Args<4> args(env, info, "recv");
  int fd = 0;
  Span span;
  if (!args.fd(0, &fd) || !span_arguments(args, 1, &span)) return nullptr;
  if (span.length == 0) {  // would read as an end of file
    throw_range(env, args.fn, "length", "at least 1");
    return nullptr;
  }
  if (span.length > kMaxTransferBytes) span.length = kMaxTransferBytes;
  return number(env, receive_one(args.addon->fds, fd, span));
}

// send(fd, buffer id, offset, length) -> bytes taken or -errno
static napi_value JS_send(napi_env env, napi_callback_info info) {
  Args<4> args(env, info, "send");
  int fd = 0;
  Span span;
  if (!args.fd(0, &fd) || !span_arguments(args, 1, &span)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  if (span.length > kMaxTransferBytes) span.length = kMaxTransferBytes;
  ssize_t count;
  do {
    count = send_now(fd, span);
  } while (count < 0 && errno == EINTR);
  return number(env, result_of(count));
}

// One row of the lists of sendEach and recvEach.
struct Transfer {
  int32_t fd;
  int32_t offset;
  int32_t length;
  int32_t result;
};

// By value: a thread that the list was moved to may write into it between the check and the use.
static int send_one(const FdTable& fds, Transfer one, uint8_t* data, size_t size) {
  const bool inside = one.offset >= 0 && one.length >= 0 &&
                      static_cast<size_t>(one.offset) + static_cast<size_t>(one.length) <= size;
  if (!inside) return -EINVAL;
  if (!fds.is_socket(one.fd)) return -EBADF;
  const Span span{data + one.offset, static_cast<size_t>(one.length)};
  ssize_t count;
  do {
    count = send_now(one.fd, span);
  } while (count < 0 && errno == EINTR);
  return result_of(count);
}

// The arguments (buffer id, list id, count): the buffer's memory, and so many rows of the list.
struct Transfers {
  uint8_t* data = nullptr;
  size_t size = 0;
  Transfer* rows = nullptr;
  int64_t count = 0;
};

static bool transfers_arguments(const Args<3>& args, Transfers* out) {
  int ids[2] = {};
  if (!args.integer(0, "buffer id", kIdRange, &ids[0])) return false;
  if (!args.integer(1, "list id", kIdRange, &ids[1])) return false;
  if (!args.integer(2, "count", kSizeRange, &out->count)) return false;
  uint8_t* list = nullptr;
  size_t list_size = 0;
  if (!buffer_memory(args.addon, ids[0], &out->data, &out->size) ||
      !buffer_memory(args.addon, ids[1], &list, &list_size)) {
    throw_unknown_buffer(args.env, args.fn);
    return false;
  }
  if (static_cast<size_t>(out->count) > list_size / sizeof(Transfer)) {
    throw_outside(args.env, args.fn);
    return false;
  }
  out->rows = reinterpret_cast<Transfer*>(list);
  return true;
}

// sendEach(buffer id, list id, count): the results are in the list, -EINVAL for one outside.
static napi_value JS_sendEach(napi_env env, napi_callback_info info) {
  Args<3> args(env, info, "sendEach");
  Transfers all;
  if (!transfers_arguments(args, &all)) return nullptr;
  for (int64_t i = 0; i < all.count; ++i) {
    all.rows[i].result = send_one(args.addon->fds, all.rows[i], all.data, all.size);
  }
  return nullptr;
}

constexpr int64_t kLine = 64;  // what one cache line holds: each starts on its own

// recvEach(buffer id, list id, count) -> how many rows were received into. The first row's offset
// and length say where all of them go, one behind the other; the rows tell where each lies.
static napi_value JS_recvEach(napi_env env, napi_callback_info info) {
  Args<3> args(env, info, "recvEach");
  Transfers all;
  if (!transfers_arguments(args, &all)) return nullptr;
  if (all.count == 0) return number(env, 0);
  int64_t at = all.rows[0].offset;
  const int64_t end = at + all.rows[0].length;
  if (at < 0 || end < at || end > static_cast<int64_t>(all.size)) {
    throw_outside(env, args.fn);
    return nullptr;
  }
  int32_t done = 0;
  for (; done < all.count && end - at >= kLeastRoomBytes; ++done) {
    Transfer& one = all.rows[done];
    one.offset = static_cast<int32_t>(at);
    one.length = static_cast<int32_t>(end - at);
    const int result = receive_one(args.addon->fds, one.fd, {all.data + at, size_t(end - at)});
    one.result = result;
    if (result > 0) at = (at + result + kLine - 1) / kLine * kLine;
  }
  return number(env, done);
}

static bool throw_parts(const Args<2>& args) {
  throw_type(args.env, args.fn, "parts", "an array of at most 64 Uint8Arrays, none detached");
  return false;
}

// One part's memory. Runs no JavaScript, so nothing can move between this and the system call.
static bool part_memory(const Args<2>& args, napi_value part, iovec* out) {
  bool is_typed = false;
  napi_is_typedarray(args.env, part, &is_typed);
  if (!is_typed) return throw_parts(args);
  napi_typedarray_type type = napi_float64_array;
  size_t length = 0;
  void* data = nullptr;
  napi_value array_buffer = nullptr;
  if (napi_get_typedarray_info(args.env, part, &type, &length, &data, &array_buffer, nullptr) !=
          napi_ok ||
      type != napi_uint8_array) {
    return throw_parts(args);
  }
  if (length == 0) {
    bool detached = false;
    napi_is_detached_arraybuffer(args.env, array_buffer, &detached);
    if (detached) return throw_parts(args);
  }
  out->iov_base = length == 0 ? nullptr : data;
  out->iov_len = length;
  return true;
}

// Two passes: reading an element may run a getter, and a getter may detach what was read before.
static bool gather_parts(const Args<2>& args, iovec* parts, uint32_t* count, size_t* total) {
  bool is_array = false;
  napi_is_array(args.env, args.values[1], &is_array);
  if (!is_array) return throw_parts(args);
  napi_value elements[kMaxParts];
  if (napi_get_array_length(args.env, args.values[1], count) != napi_ok) return throw_parts(args);
  if (*count > kMaxParts) return throw_parts(args);
  for (uint32_t i = 0; i < *count; ++i) {
    if (napi_get_element(args.env, args.values[1], i, &elements[i]) != napi_ok) return false;
  }
  for (uint32_t i = 0; i < *count; ++i) {
    if (!part_memory(args, elements[i], &parts[i])) return false;
    *total += parts[i].iov_len;
  }
  return true;
}

// sendv(fd, parts) -> bytes taken of all parts together or -errno
static napi_value JS_sendv(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "sendv");
  int fd = 0;
  iovec parts[kMaxParts];
  uint32_t count = 0;
  size_t total = 0;
  if (!args.fd(0, &fd) || !gather_parts(args, parts, &count, &total)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  if (total == 0) return number(env, 0);
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  ssize_t sent;
  do {
    sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return number(env, result_of(sent));
}

static Peer peer_of(const sockaddr_storage& address) {
  Peer peer;
  if (address.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
    peer = {AF_INET, v4->sin_port, 0, {}};
    memcpy(peer.address, &v4->sin_addr, sizeof v4->sin_addr);
  } else if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    peer = {AF_INET6, v6->sin6_port, v6->sin6_scope_id, {}};
    memcpy(peer.address, &v6->sin6_addr, sizeof v6->sin6_addr);
  }
  return peer;
}

// accept(listenFd) -> fd or -errno
static napi_value JS_accept(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "accept");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  const FdKind kind = args.addon->fds.kind(fd);
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  sockaddr_storage address;
  address.ss_family = AF_UNSPEC;
  socklen_t size = sizeof address;
  int accepted;
  do {
    accepted = accept4(fd, reinterpret_cast<sockaddr*>(&address), &size,
                       SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (accepted < 0 && errno == EINTR);
  const int taken = take_fd(args.addon, accepted, kind);
  if (taken >= 0 && args.addon->is_shared(fd)) end_turn(fd);
  // TCP_NODELAY it has of its listener.
  if (taken >= 0 && kind == FdKind::kTcp) args.addon->fds.set_peer(taken, peer_of(address));
  return number(env, taken);
}

// shutdown(fd) -> 0 or -errno
static napi_value JS_shutdown(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "shutdown");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  return number(env, shutdown(fd, SHUT_WR) == 0 ? 0 : -errno);
}

// close(fd, abort) -> 0 or -errno
static napi_value JS_close(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "close");
  int fd = 0;
  bool abort = false;
  if (!args.fd(0, &fd) || !args.boolean(1, "abort", &abort)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  if (abort) {
    const linger now = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  forget_unix_path(args.addon, fd, true);
  forget_spare(args.addon, fd);
  forget_shared(args.addon, fd);
  args.addon->fds.set(fd, FdKind::kNone);
  // On Linux the descriptor is gone after EINTR as well: closing again would hit another one.
  const int failed = close(fd);
  return number(env, failed == 0 || errno == EINTR ? 0 : -errno);
}

// socketError(fd) -> errno (positive), 0 = none; a descriptor that is not ours answers EBADF
static napi_value JS_socketError(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "socketError");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, EBADF);
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return number(env, error);
}

void export_sockets(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "recv", JS_recv);
  export_function(env, exports, addon, "send", JS_send);
  export_function(env, exports, addon, "sendEach", JS_sendEach);
  export_function(env, exports, addon, "recvEach", JS_recvEach);
  export_function(env, exports, addon, "sendv", JS_sendv);
  export_function(env, exports, addon, "accept", JS_accept);
  export_function(env, exports, addon, "shutdown", JS_shutdown);
  export_function(env, exports, addon, "close", JS_close);
  export_function(env, exports, addon, "socketError", JS_socketError);
}

}  // namespace extpoll
