// Files beneath a root, and their bytes onto a socket without passing through JavaScript.
//
// Knows no URL. Resolution is the kernel's (openat2 with RESOLVE_BENEATH): `..`, absolute paths and
// links cannot leave the root. Where the kernel has no openat2, the path is walked component by
// component, following no link at all. Source: openat2(2), open(2), pread(2), sendfile(2)
// of Linux.
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

constexpr size_t kMaxPathBytes = 4095;
constexpr Range kLengthRange{0, 9007199254740991.0};
constexpr int kRaceRetries = 16;

// Never a controlling terminal, never hangs on a FIFO.
constexpr int kFileFlags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

static int open_beneath(int root, const std::string& path) {
  open_how how = {};
  how.flags = kFileFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0;; ++tries) {
    const long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // EAGAIN: something was renamed during the walk, and the kernel could not be sure.
    const bool again = errno == EINTR || (errno == EAGAIN && tries < kRaceRetries);
    if (!again) return -errno;
  }
}

static int open_component(int directory, const std::string& name, bool last) {
  if (name == "..") return -EXDEV;
  const int flags = last ? kFileFlags : O_PATH | O_DIRECTORY | O_CLOEXEC;
  const int fd = openat(directory, name.c_str(), flags | O_NOFOLLOW);
  return fd < 0 ? -errno : fd;
}

static int walk_beneath(int root, const std::string& path) {
  if (path.empty()) return -ENOENT;
  if (path[0] == '/') return -EXDEV;
  int directory = fcntl(root, F_DUPFD_CLOEXEC, 3);
  if (directory < 0) return -errno;
  size_t start = 0;
  for (;;) {
    const size_t slash = path.find('/', start);
    const bool last = slash == std::string::npos;
    std::string name = path.substr(start, last ? slash : slash - start);
    // An empty component is where it stands: `a//b` and `a/`.
    const int next = open_component(directory, name.empty() ? "." : name, last);
    close(directory);
    if (next < 0 || last) return next;
    directory = next;
    start = slash + 1;
  }
}

// openFile(root, path, walk) -> fd or -errno. `walk` leaves openat2 out, as an old kernel does.
static napi_value JS_openFile(napi_env env, napi_callback_info info) {
  Args<3> args(env, info, "openFile");
  std::string root;
  std::string path;
  bool walk = false;
  if (!text_argument(env, args.fn, "root", args.values[0], kMaxPathBytes, &root)) return nullptr;
  if (!text_argument(env, args.fn, "path", args.values[1], kMaxPathBytes, &path)) return nullptr;
  if (!args.boolean(2, "walk", &walk)) return nullptr;
  const int root_fd = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0) return number(env, -errno);
  int fd = walk ? -ENOSYS : open_beneath(root_fd, path);
  if (fd == -ENOSYS) fd = walk_beneath(root_fd, path);
  close(root_fd);
  if (fd < 0) return number(env, fd);
  return number(env, take_fd(args.addon, fd, FdKind::kFile));
}

static void set_number(napi_env env, napi_value object, const char* name, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  napi_set_named_property(env, object, name, result);
}

static void set_flag(napi_env env, napi_value object, const char* name, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  napi_set_named_property(env, object, name, result);
}

// fileInfo(fd) -> { sizeBytes, modifiedMs, inode, regular, directory } or -errno
static napi_value JS_fileInfo(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "fileInfo");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kFile) return number(env, -EBADF);
  struct stat about;
  if (!status_of_fd(fd, &about)) return number(env, -errno);
  const double seconds = static_cast<double>(about.st_mtim.tv_sec);
  const double nanoseconds = static_cast<double>(about.st_mtim.tv_nsec);
  napi_value object = nullptr;
  napi_create_object(env, &object);
  set_number(env, object, "sizeBytes", static_cast<double>(about.st_size));
  set_number(env, object, "modifiedMs", seconds * 1e3 + nanoseconds / 1e6);
  set_number(env, object, "inode", static_cast<double>(about.st_ino));
  set_flag(env, object, "regular", S_ISREG(about.st_mode));
  set_flag(env, object, "directory", S_ISDIR(about.st_mode));
  return object;
}

// readFile(fileFd, fileOffset, buffer id, offset, length) -> bytes read, 0 where the file ended, or
// -errno
static napi_value JS_readFile(napi_env env, napi_callback_info info) {
  Args<5> args(env, info, "readFile");
  int file_fd = 0;
  off_t file_offset = 0;
  Span span;
  if (!args.integer(0, "fileFd", kFdRange, &file_fd)) return nullptr;
  if (!args.integer(1, "fileOffset", kLengthRange, &file_offset)) return nullptr;
  if (!span_arguments(args, 2, &span)) return nullptr;
  if (args.addon->fds.kind(file_fd) != FdKind::kFile) return number(env, -EBADF);
  if (span.length > kMaxTransferBytes) span.length = kMaxTransferBytes;
  ssize_t count;
  do {
    count = pread(file_fd, span.data, span.length, file_offset);
  } while (count < 0 && errno == EINTR);
  return number(env, count < 0 ? -errno : static_cast<int>(count));
}

// sendFile(fd, fileFd, offset, length) -> bytes taken, 0 where the file ended, or -errno. Linux
// raises SIGPIPE here without asking; Node ignores it from its start.
static napi_value JS_sendFile(napi_env env, napi_callback_info info) {
  Args<4> args(env, info, "sendFile");
  int fd = 0;
  int file_fd = 0;
  off_t offset = 0;
  size_t length = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (!args.integer(1, "fileFd", kFdRange, &file_fd)) return nullptr;
  if (!args.integer(2, "offset", kLengthRange, &offset)) return nullptr;
  if (!args.integer(3, "length", kLengthRange, &length)) return nullptr;
  if (!args.addon->fds.is_socket(fd)) return number(env, -EBADF);
  if (args.addon->fds.kind(file_fd) != FdKind::kFile) return number(env, -EBADF);
  if (length > kMaxTransferBytes) length = kMaxTransferBytes;
  ssize_t count;
  do {
    count = sendfile(fd, file_fd, &offset, length);
  } while (count < 0 && errno == EINTR);
  return number(env, count < 0 ? -errno : static_cast<int>(count));
}

// closeFile(fileFd) -> 0 or -errno
static napi_value JS_closeFile(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "closeFile");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kFile) return number(env, -EBADF);
  args.addon->fds.set(fd, FdKind::kNone);
  close(fd);
  return number(env, 0);
}

void export_files(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "openFile", JS_openFile);
  export_function(env, exports, addon, "fileInfo", JS_fileInfo);
  export_function(env, exports, addon, "readFile", JS_readFile);
  export_function(env, exports, addon, "sendFile", JS_sendFile);
  export_function(env, exports, addon, "closeFile", JS_closeFile);
}

}  // namespace extpoll
