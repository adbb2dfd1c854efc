// Where sockets listen, connect and are: TCP over IPv4 and IPv6, and Unix stream sockets.
//
// Knows no names: text that is not an address is -EINVAL, and no resolver is ever asked. Never the
// abstract namespace. Source: ip(7), ipv6(7), unix(7) of Linux; RFC 4007 11 for `%scope`.
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

constexpr size_t kMaxTextBytes = 4096;
constexpr Range kPortRange{0, 65535};
constexpr Range kBacklogRange{1, 1048576};

struct Address {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  int family() const { return storage.ss_family; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

static bool scope_number(const std::string& scope, uint32_t* out) {
  if (scope.empty()) return false;
  *out = if_nametoindex(scope.c_str());
  if (*out != 0) return true;
  char* end = nullptr;
  const unsigned long value = strtoul(scope.c_str(), &end, 10);
  *out = static_cast<uint32_t>(value);
  return *end == '\0' && value <= UINT32_MAX && scope[0] >= '0' && scope[0] <= '9';
}

static bool parse_tcp(const std::string& text, int port, Address* out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out->storage);
  if (inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    out->size = sizeof *v4;
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out->storage);
  const size_t percent = text.find('%');
  if (inet_pton(AF_INET6, text.substr(0, percent).c_str(), &v6->sin6_addr) != 1) return false;
  if (percent != std::string::npos) {
    if (!scope_number(text.substr(percent + 1), &v6->sin6_scope_id)) return false;
  }
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(static_cast<uint16_t>(port));
  out->size = sizeof *v6;
  return true;
}

static bool parse_unix(const std::string& path, Address* out) {
  auto* un = reinterpret_cast<sockaddr_un*>(&out->storage);
  if (path.size() >= sizeof un->sun_path) return false;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, path.c_str(), path.size() + 1);
  out->size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return true;
}

static int open_socket(const Address& address) {
  return socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int fail(int fd) {
  const int error = errno;
  close(fd);
  return -error;
}

static int listen_at(Addon* addon, const Address& address, int backlog) {
  const int fd = open_socket(address);
  if (fd < 0) return -errno;
  const int on = 1;
  const bool tcp = address.family() != AF_UNIX;
  if (tcp) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (tcp) set_no_delay(fd);  // accepted sockets inherit it
  if (bind(fd, address.get(), address.size) != 0) return fail(fd);
  if (listen(fd, backlog) != 0) return fail(fd);
  const int listen_fd = take_fd(addon, fd, tcp ? FdKind::kTcp : FdKind::kSocket);
  if (listen_fd >= 0) keep_spare(addon, listen_fd);
  return listen_fd;
}

// listenTcp(address, port, backlog) -> fd or -errno
static napi_value JS_listenTcp(napi_env env, napi_callback_info info) {
  Args<3> args(env, info, "listen");
  std::string text;
  int port = 0;
  int backlog = 0;
  if (!text_argument(env, args.fn, "address", args.values[0], kMaxTextBytes, &text)) return nullptr;
  if (!args.integer(1, "port", kPortRange, &port)) return nullptr;
  if (!args.integer(2, "backlog", kBacklogRange, &backlog)) return nullptr;
  Address address;
  if (!parse_tcp(text, port, &address)) return number(env, -EINVAL);
  return number(env, listen_at(args.addon, address, backlog));
}

// True where a socket file is left over from a listener that is gone: nobody accepts there.
static bool is_stale(const std::string& path, const Address& address) {
  struct stat about;
  if (!status_of_path(path.c_str(), &about) || !S_ISSOCK(about.st_mode)) return false;
  const int probe = open_socket(address);
  if (probe < 0) return false;
  const bool refused = connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  close(probe);
  return refused;
}

// listenUnix(path, backlog) -> fd or -errno
static napi_value JS_listenUnix(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "listen");
  std::string path;
  int backlog = 0;
  if (!text_argument(env, args.fn, "path", args.values[0], kMaxTextBytes, &path)) return nullptr;
  if (!args.integer(1, "backlog", kBacklogRange, &backlog)) return nullptr;
  if (path.empty()) return number(env, -EINVAL);
  Address address;
  if (!parse_unix(path, &address)) return number(env, -ENAMETOOLONG);
  int fd = listen_at(args.addon, address, backlog);
  if (fd == -EADDRINUSE && is_stale(path, address) && unlink(path.c_str()) == 0) {
    fd = listen_at(args.addon, address, backlog);
  }
  struct stat about;
  if (fd >= 0 && status_of_path(path.c_str(), &about)) {
    args.addon->unix_paths.push_back({fd, path, about.st_dev, about.st_ino});
  }
  return number(env, fd);
}

void forget_unix_path(Addon* addon, int fd, bool remove_file) {
  auto& paths = addon->unix_paths;
  for (size_t i = 0; i < paths.size(); ++i) {
    if (paths[i].fd != fd) continue;
    struct stat about;
    const bool same = status_of_path(paths[i].path.c_str(), &about) &&
                      about.st_dev == paths[i].device && about.st_ino == paths[i].inode;
    if (same && remove_file) unlink(paths[i].path.c_str());
    paths[i] = paths.back();
    paths.pop_back();
    return;
  }
}

static int connect_to(Addon* addon, const Address& address) {
  const int fd = open_socket(address);
  if (fd < 0) return -errno;
  const bool tcp = address.family() != AF_UNIX;
  if (tcp) set_no_delay(fd);
  // Interrupted, a connect goes on by itself, as it does after EINPROGRESS.
  const int failed = connect(fd, address.get(), address.size);
  if (failed != 0 && errno != EINPROGRESS && errno != EINTR) return fail(fd);
  return take_fd(addon, fd, tcp ? FdKind::kTcp : FdKind::kSocket);
}

// connectTcp(address, port) -> fd or -errno
static napi_value JS_connectTcp(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "connect");
  std::string text;
  int port = 0;
  if (!text_argument(env, args.fn, "address", args.values[0], kMaxTextBytes, &text)) return nullptr;
  if (!args.integer(1, "port", kPortRange, &port)) return nullptr;
  Address address;
  if (!parse_tcp(text, port, &address)) return number(env, -EINVAL);
  return number(env, connect_to(args.addon, address));
}

// connectUnix(path) -> fd or -errno
static napi_value JS_connectUnix(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "connect");
  std::string path;
  if (!text_argument(env, args.fn, "path", args.values[0], kMaxTextBytes, &path)) return nullptr;
  if (path.empty()) return number(env, -EINVAL);
  Address address;
  if (!parse_unix(path, &address)) return number(env, -ENAMETOOLONG);
  return number(env, connect_to(args.addon, address));
}

static void set_text(napi_env env, napi_value object, const char* name, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.c_str(), text.size(), &value);
  napi_set_named_property(env, object, name, value);
}

static std::string unix_name(const Address& address) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(&address.storage);
  const size_t head = offsetof(sockaddr_un, sun_path);
  if (address.size <= head || un->sun_path[0] == '\0') return "";
  return std::string(un->sun_path, strnlen(un->sun_path, address.size - head));
}

static std::string v6_text(const sockaddr_in6* v6) {
  char text[INET6_ADDRSTRLEN] = "";
  char scope[IF_NAMESIZE] = "";
  inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  if (v6->sin6_scope_id == 0) return text;
  const char* known = if_indextoname(v6->sin6_scope_id, scope);
  const std::string number = std::to_string(v6->sin6_scope_id);
  return std::string(text) + "%" + (known != nullptr ? known : number.c_str());
}

// { name, address, port, family }, all empty for an `address` of size 0
static napi_value address_object(napi_env env, const Address& address) {
  std::string text;
  std::string name;
  const char* family = "";
  int port = 0;
  if (address.size != 0 && address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    char buffer[INET_ADDRSTRLEN] = "";
    text = inet_ntop(AF_INET, &v4->sin_addr, buffer, sizeof buffer);
    port = ntohs(v4->sin_port);
    family = "IPv4";
  } else if (address.size != 0 && address.family() == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    text = v6_text(v6);
    port = ntohs(v6->sin6_port);
    family = "IPv6";
  } else if (address.size != 0 && address.family() == AF_UNIX) {
    name = unix_name(address);
    family = "Unix";
  }
  napi_value object = nullptr;
  napi_create_object(env, &object);
  set_text(env, object, "name", name);
  set_text(env, object, "address", text);
  napi_set_named_property(env, object, "port", number(env, port));
  set_text(env, object, "family", family);
  return object;
}

using AddressCall = int (*)(int, sockaddr*, socklen_t*);

static napi_value ask_address(const Args<1>& args, AddressCall ask) {
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  Address address;
  if (args.addon->fds.is_socket(fd)) {
    socklen_t size = sizeof address.storage;
    if (ask(fd, reinterpret_cast<sockaddr*>(&address.storage), &size) == 0) address.size = size;
  }
  return address_object(args.env, address);
}

// localAddress(fd) -> { name, address, port, family }
static napi_value JS_localAddress(napi_env env, napi_callback_info info) {
  return ask_address(Args<1>(env, info, "localAddress"), getsockname);
}

static Address address_of(const Peer& peer) {
  Address address;
  if (peer.family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = peer.port;
    memcpy(&v4->sin_addr, peer.address, sizeof v4->sin_addr);
    address.size = sizeof *v4;
  } else if (peer.family == AF_INET6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = peer.port;
    v6->sin6_scope_id = peer.scope;
    memcpy(&v6->sin6_addr, peer.address, sizeof v6->sin6_addr);
    address.size = sizeof *v6;
  }
  return address;
}

// peerAddress(fd) -> { name, address, port, family }: an accepted socket's as accept told it.
static napi_value JS_peerAddress(napi_env env, napi_callback_info info) {
  const Args<1> args(env, info, "peerAddress");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  const bool known = args.addon->fds.is_socket(fd) && args.addon->fds.peer(fd).family != 0;
  if (known) return address_object(env, address_of(args.addon->fds.peer(fd)));
  return ask_address(args, getpeername);
}

// Linux may connect a socket to itself where nothing listens on the port it chose.
static bool is_self(const Address& here, const Address& there) {
  return here.size == there.size && here.family() != AF_UNIX &&
         memcmp(&here.storage, &there.storage, here.size) == 0;
}

// connectResult(fd) -> 0 connected, -EAGAIN not yet, or -errno. Readiness may be spurious, so the
// socket is asked whether it has a peer.
static napi_value JS_connectResult(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "connectResult");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return number(env, -errno);
  if (error != 0) return number(env, -error);
  Address here;
  Address there;
  there.size = sizeof there.storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&there.storage), &there.size) != 0) {
    return number(env, errno == ENOTCONN ? -EAGAIN : -errno);
  }
  here.size = sizeof here.storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&here.storage), &here.size) != 0) here.size = 0;
  return number(env, is_self(here, there) ? -ECONNREFUSED : 0);
}

void export_addresses(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "listenTcp", JS_listenTcp);
  export_function(env, exports, addon, "listenUnix", JS_listenUnix);
  export_function(env, exports, addon, "connectTcp", JS_connectTcp);
  export_function(env, exports, addon, "connectResult", JS_connectResult);
  export_function(env, exports, addon, "connectUnix", JS_connectUnix);
  export_function(env, exports, addon, "localAddress", JS_localAddress);
  export_function(env, exports, addon, "peerAddress", JS_peerAddress);
}

}  // namespace extpoll
