// What the files of the addon share: one environment's state, argument checks, and the tables.
//
// Knows nothing of WebSockets. Every Node.js environment (main thread or worker) has an Addon of
// its own; of the process are the signal table in signals.cc, the turns in shared.cc, and which
// eventfds there are, in events.cc.
// Source: Node-API (node_api.h), version 8, which Node 20 to 26 all offer.
#pragma once

#define NAPI_VERSION 8
#include <node_api.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <string>
#include <vector>

namespace extpoll {

// What a descriptor in our table is, and with it which calls accept it. kNone is not ours.
enum class FdKind : uint8_t { kNone, kSocket, kTcp, kFile, kEvent, kSignal, kResolver };

// Who is at the other end of an accepted TCP socket, as accept4 told it: after a reset getpeername
// would not know. family 0: unknown.
struct Peer {
  uint16_t family = 0;
  uint16_t port = 0;  // as in sockaddr_in: the network's byte order
  uint32_t scope = 0;
  uint8_t address[16] = {};
};

// The descriptors this environment made or adopted, by number.
class FdTable {
 public:
  FdKind kind(int fd) const {
    return fd >= 0 && static_cast<size_t>(fd) < kinds_.size() ? kinds_[fd] : FdKind::kNone;
  }
  bool is_socket(int fd) const {
    const FdKind k = kind(fd);
    return k == FdKind::kSocket || k == FdKind::kTcp;
  }
  void set(int fd, FdKind kind);  // forgets the peer
  void set_peer(int fd, const Peer& peer);
  Peer peer(int fd) const {
    return static_cast<size_t>(fd) < peers_.size() ? peers_[fd] : Peer{};
  }
  int size() const { return static_cast<int>(kinds_.size()); }

 private:
  std::vector<FdKind> kinds_;
  std::vector<Peer> peers_;
};

// Memory given out once as an external ArrayBuffer. Two owners at most, the table below and the
// ArrayBuffer, and the last of them gives it back: neither freeBuffer, nor the garbage collector,
// nor a transfer to another thread can leave the other side with memory that is gone. Touched by
// the thread of the environment only.
struct Block {
  int refs = 1;
  uint8_t* data = nullptr;
  size_t size = 0;
  size_t mapped = 0;          // size in whole pages
  bool stays_mapped = false;  // see array_buffer_gone
};

// One buffer id. Where the runtime refuses external memory, `managed` holds an ArrayBuffer of the
// runtime's own instead, and its pointer is asked for anew in every call.
struct BufferSlot {
  Block* block = nullptr;
  napi_ref managed = nullptr;
};

struct UvPoll;
struct ResolverState;

// A set of descriptors that wait together. poll(2) keeps its array here, epoll keeps it itself.
struct PollerSlot {
  const struct Addon* addon = nullptr;
  int epoll_fd = -1;  // -1: the poll(2) backend
  int wake_fd = -1;
  int buffer_id = 0;  // where wait writes its triples
  int max_events = 0;
  UvPoll* uv_poll = nullptr;  // where Node's own loop watches epoll_fd
  std::vector<epoll_event> ready;
  std::vector<pollfd> pollfds;
  std::vector<uint32_t> gens;     // of pollfds, same index
  std::vector<int> position;      // fd -> index in pollfds, -1 where absent
  bool blocks = false;            // the last wait had a timeout
  int64_t sits_out_until_ns = 0;  // see shared.cc; 0: it does not
  size_t scan_from = 0;           // so that a full batch starves nobody
};

// Objects by id. An id is a slot's number and a serial, so that an old id never finds a new object.
template <typename T>
class SlotTable {
 public:
  static constexpr int kMaxSlots = 1 << 16;

  // Answers the new id, or 0 when the table is full.
  int add(T* object) {
    for (size_t i = 0; i < slots_.size(); ++i, next_ = (next_ + 1) % slots_.size()) {
      if (slots_[next_].object == nullptr) return fill(next_, object);
    }
    if (slots_.size() == kMaxSlots) return 0;
    slots_.push_back({});
    return fill(slots_.size() - 1, object);
  }
  T* find(int id) const {
    const size_t index = static_cast<size_t>(id) & (kMaxSlots - 1);
    if (index >= slots_.size() || slots_[index].id != id) return nullptr;
    return slots_[index].object;
  }
  T* remove(int id) {
    T* object = find(id);
    if (object != nullptr) slots_[static_cast<size_t>(id) & (kMaxSlots - 1)].object = nullptr;
    return object;
  }
  template <typename F>
  void each(F visit) {
    for (auto& slot : slots_) {
      if (slot.object != nullptr) visit(slot.object);
    }
  }
  void clear() { slots_.clear(); }

 private:
  struct Slot {
    T* object = nullptr;
    int id = 0;
    int serial = 0;
  };
  int fill(size_t index, T* object) {
    Slot& slot = slots_[index];
    slot.serial = slot.serial % 0x7ffe + 1;
    slot.id = slot.serial << 16 | static_cast<int>(index);
    slot.object = object;
    return slot.id;
  }
  std::vector<Slot> slots_;
  size_t next_ = 0;
};

// A Unix listener's file, so that closing the listener removes it, if it is still that file.
struct UnixPath {
  int fd;
  std::string path;
  dev_t device;
  ino_t inode;
};

// What a listener keeps for the moment when there is no descriptor left; fd -1: it was needed.
struct Spare {
  int listen_fd;
  int fd;
};

// Everything of one environment.
struct Addon {
  explicit Addon(napi_env e) : env(e) {}
  napi_env env;
  FdTable fds;
  SlotTable<BufferSlot> buffers;
  SlotTable<PollerSlot> pollers;
  std::vector<UnixPath> unix_paths;
  std::vector<Spare> spares;
  ResolverState* resolver = nullptr;  // with the first name
  std::vector<int> shared;  // listeners that are copies, see shared.cc

  bool is_shared(int fd) const {
    return std::find(shared.begin(), shared.end(), fd) != shared.end();
  }
};

// --- arguments.cc: each throws on failure and answers false; `fn` and `name` are for people.

struct Range {
  double min;
  double max;
};
constexpr Range kFdRange{-2147483648.0, 2147483647.0};
constexpr Range kIdRange{-2147483648.0, 2147483647.0};
constexpr size_t kMaxTransferBytes = 0x7ffff000;  // what Linux moves in one call at most
constexpr Range kSizeRange{0, 9007199254740991.0};

void throw_type(napi_env env, const char* fn, const char* name, const char* wanted);
void throw_range(napi_env env, const char* fn, const char* name, const char* wanted);
void throw_number(napi_env env, const char* fn, const char* name, Range range, napi_value value);
void throw_code(napi_env env, const char* code, const char* fn, const char* sentence);

// The arguments of one call. N is how many the function takes; missing ones are undefined.
template <size_t N>
struct Args {
  napi_env env;
  const char* fn;
  Addon* addon = nullptr;
  napi_value values[N == 0 ? 1 : N];

  Args(napi_env e, napi_callback_info info, const char* name) : env(e), fn(name) {
    size_t count = N;
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
    addon = static_cast<Addon*>(data);
  }

  // The hot path: two calls into the runtime per integer, no allocation.
  template <typename Int>
  bool integer(size_t index, const char* name, Range range, Int* out) const {
    double number = 0;
    const bool is_number = napi_get_value_double(env, values[index], &number) == napi_ok;
    // A NaN fails the comparisons; within the ranges used here the cast is defined.
    if (is_number && number >= range.min && number <= range.max) {
      const int64_t whole = static_cast<int64_t>(number);
      if (static_cast<double>(whole) == number) {
        *out = static_cast<Int>(whole);
        return true;
      }
    }
    throw_number(env, fn, name, range, values[index]);
    return false;
  }
  bool fd(size_t index, int* out) const { return integer(index, "fd", kFdRange, out); }

  bool boolean(size_t index, const char* name, bool* out) const {
    if (napi_get_value_bool(env, values[index], out) == napi_ok) return true;
    throw_type(env, fn, name, "true or false");
    return false;
  }
};

// A string without NUL bytes, at most `max_bytes` long in UTF-8.
bool text_argument(napi_env env, const char* fn, const char* name, napi_value value,
                   size_t max_bytes, std::string* out);

inline napi_value number(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

// --- memory.cc

// The bytes that (buffer id, offset, length) at `index` and the two after it name.
struct Span {
  uint8_t* data;
  size_t length;
};
bool buffer_memory(const Addon* addon, int id, uint8_t** data, size_t* size);
void throw_unknown_buffer(napi_env env, const char* fn);
void throw_outside(napi_env env, const char* fn);

template <size_t N>
bool span_arguments(const Args<N>& args, size_t index, Span* span) {
  int id = 0;
  int64_t offset = 0;
  int64_t length = 0;
  if (!args.integer(index, "buffer id", kIdRange, &id)) return false;
  if (!args.integer(index + 1, "offset", kSizeRange, &offset)) return false;
  if (!args.integer(index + 2, "length", kSizeRange, &length)) return false;
  uint8_t* data = nullptr;
  size_t size = 0;
  if (!buffer_memory(args.addon, id, &data, &size)) {
    throw_unknown_buffer(args.env, args.fn);
    return false;
  }
  const int64_t limit = static_cast<int64_t>(size);
  if (offset > limit || length > limit - offset) {
    throw_outside(args.env, args.fn);
    return false;
  }
  span->data = data + offset;
  span->length = static_cast<size_t>(length);
  return true;
}

void release_buffers(Addon* addon);

// --- status.cc: false leaves errno. A path that is a link is told of as the link.
bool status_of_fd(int fd, struct stat* about);
bool status_of_path(const char* path, struct stat* about);

// --- sockets.cc

// Where somebody closed a standard stream: its number is not ours to have. Answers fd or -errno.
int above_standard(int fd);
// Puts a new descriptor into the table, moved above 2 if need be. Answers fd or -errno.
int take_fd(Addon* addon, int fd, FdKind kind);
void set_no_delay(int fd);
void forget_unix_path(Addon* addon, int fd, bool remove_file);

// --- events.cc: an eventfd that any thread may write to. The first answers it or -errno.
int open_event(Addon* addon);
void close_event(Addon* addon, int fd);

// --- shed.cc
void keep_spare(Addon* addon, int listen_fd);
void forget_spare(Addon* addon, int listen_fd);

// --- shared.cc

// The copy waits in the set from now on, as the last of all copies; nullptr: no longer. Answers 0
// or -errno.
int take_turns(PollerSlot* poller, int fd, const epoll_event* event);
// It accepted one.
void end_turn(int fd);
// While `sits_out_until_ns` is set, before each wait. Answers whether it is not over yet.
bool sit_out(PollerSlot* poller);
void leave_turns_of_set(const PollerSlot* poller);
void forget_shared(Addon* addon, int fd);

// --- poller.cc, signals.cc
void release_pollers(Addon* addon);
void release_signals(Addon* addon);

// --- resolver.cc
void release_resolver(Addon* addon);

// --- uv-poll.cc
void close_uv_poll(UvPoll* poll);
void begin_to_sit_out(UvPoll* poll);

// --- what JavaScript can call, by file
void export_function(napi_env env, napi_value exports, Addon* addon, const char* name,
                     napi_callback function);
void export_memory(napi_env env, napi_value exports, Addon* addon);
void export_sockets(napi_env env, napi_value exports, Addon* addon);
void export_adopt(napi_env env, napi_value exports, Addon* addon);
void export_addresses(napi_env env, napi_value exports, Addon* addon);
void export_poller(napi_env env, napi_value exports, Addon* addon);
void export_events(napi_env env, napi_value exports, Addon* addon);
void export_files(napi_env env, napi_value exports, Addon* addon);
void export_shared(napi_env env, napi_value exports, Addon* addon);
void export_shed(napi_env env, napi_value exports, Addon* addon);
void export_signals(napi_env env, napi_value exports, Addon* addon);
void export_uv_poll(napi_env env, napi_value exports, Addon* addon);
void export_resolver(napi_env env, napi_value exports, Addon* addon);

}  // namespace extpoll
