// Waiting: one set of descriptors, by epoll or by poll(2), answered as triples of integers.
//
// Knows no owner and no generation but the number it was given: JavaScript drops what is stale.
// Generation 0 is the set's own wake descriptor. Source: epoll(7), epoll_ctl(2), poll(2) of Linux.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "addon.h"

namespace extpoll {

constexpr Range kEventsRange{0, 0xffff};
constexpr Range kGenRange{0, 4294967295.0};
constexpr Range kMaxEventsRange{1, 65536};
constexpr uint32_t kMask = POLLIN | POLLOUT;
constexpr size_t kTripleBytes = 3 * sizeof(int32_t);
constexpr rlim_t kRoomDescriptors = 16384;  // of a pointer each: 128 KiB of the kernel's memory

static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
                  EPOLLHUP == POLLHUP,
              "the bits of epoll and poll(2) are the same on Linux");

// Mask 0 still has POLLERR and POLLHUP implied, and a level-triggered set would wake for them again
// and again. EPOLLET alone reports each wake-up of a dying socket, EPOLLONESHOT exactly one.
static epoll_event to_epoll(int fd, uint32_t gen, uint32_t events) {
  epoll_event event = {};
  event.events = (events & kMask) != 0 ? events & kMask : EPOLLET | EPOLLONESHOT;
  event.data.u64 = static_cast<uint64_t>(gen) << 32 | static_cast<uint32_t>(fd);
  return event;
}

static int epoll_set(PollerSlot* poller, int op, int fd, uint32_t gen, uint32_t events) {
  epoll_event event = to_epoll(fd, gen, events);
  if (poller->addon->is_shared(fd)) {
    return take_turns(poller, fd, (events & kMask) != 0 ? &event : nullptr);
  }
  return epoll_ctl(poller->epoll_fd, op, fd, &event) == 0 ? 0 : -errno;
}

static int position_of(const PollerSlot* poller, int fd) {
  return static_cast<size_t>(fd) < poller->position.size() ? poller->position[fd] : -1;
}

static int poll_set(PollerSlot* poller, int fd, uint32_t gen, uint32_t events) {
  int at = position_of(poller, fd);
  if (at < 0) {
    at = static_cast<int>(poller->pollfds.size());
    if (static_cast<size_t>(fd) >= poller->position.size()) poller->position.resize(fd + 1, -1);
    poller->position[fd] = at;
    poller->pollfds.push_back({});
    poller->gens.push_back(0);
  }
  poller->pollfds[at] = {fd, static_cast<short>(events & kMask), 0};
  poller->gens[at] = gen;
  return 0;
}

static int poll_remove(PollerSlot* poller, int fd) {
  const int at = position_of(poller, fd);
  if (at < 0) return -ENOENT;
  const pollfd last = poller->pollfds.back();
  poller->pollfds[at] = last;
  poller->gens[at] = poller->gens.back();
  poller->position[last.fd < 0 ? ~last.fd : last.fd] = at;
  poller->position[fd] = -1;
  poller->pollfds.pop_back();
  poller->gens.pop_back();
  return 0;
}

static int add(PollerSlot* poller, int fd, uint32_t gen, uint32_t events) {
  if (fd < 0) return -EBADF;
  if (poller->epoll_fd < 0) {
    return fcntl(fd, F_GETFD) < 0 ? -errno : poll_set(poller, fd, gen, events);
  }
  const int added = epoll_set(poller, EPOLL_CTL_ADD, fd, gen, events);
  return added == -EEXIST ? epoll_set(poller, EPOLL_CTL_MOD, fd, gen, events) : added;
}

static int modify(PollerSlot* poller, int fd, uint32_t gen, uint32_t events) {
  if (fd < 0) return -EBADF;
  if (poller->epoll_fd >= 0) return epoll_set(poller, EPOLL_CTL_MOD, fd, gen, events);
  return position_of(poller, fd) < 0 ? -ENOENT : poll_set(poller, fd, gen, events);
}

static int remove(PollerSlot* poller, int fd) {
  if (fd < 0) return -EBADF;
  if (poller->epoll_fd < 0) return poll_remove(poller, fd);
  if (poller->addon->is_shared(fd)) return take_turns(poller, fd, nullptr);
  return epoll_ctl(poller->epoll_fd, EPOLL_CTL_DEL, fd, nullptr) == 0 ? 0 : -errno;
}

static void free_poller(Addon* addon, PollerSlot* poller) {
  close_uv_poll(poller->uv_poll);
  if (poller->epoll_fd >= 0) {
    leave_turns_of_set(poller);
    close(poller->epoll_fd);
  }
  if (poller->wake_fd >= 0) close_event(addon, poller->wake_fd);
  delete poller;
}

void release_pollers(Addon* addon) {
  addon->pollers.each([addon](PollerSlot* poller) { free_poller(addon, poller); });
  addon->pollers.clear();
}

// The kernel doubles a process's table of descriptors as it fills. Where the process has threads,
// each doubling waits for the other CPUs (expand_fdtable in its fs/file.c): a loop in a rush of
// connections stands still for some 10 ms each time. So the table grows here, once.
static void make_room_for_descriptors(int fd) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == 0) return;
  const rlim_t room = limit.rlim_cur < kRoomDescriptors ? limit.rlim_cur : kRoomDescriptors;
  const int last = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(room - 1));
  if (last >= 0) close(last);
}

// Opens the descriptors of a new set. Answers 0 or -errno.
static int open_poller(Addon* addon, PollerSlot* poller, bool use_epoll) {
  const int wake_fd = open_event(addon);
  if (wake_fd < 0) return wake_fd;
  poller->wake_fd = wake_fd;
  make_room_for_descriptors(wake_fd);
  if (use_epoll) {
    poller->epoll_fd = above_standard(epoll_create1(EPOLL_CLOEXEC));
    if (poller->epoll_fd < 0) return poller->epoll_fd;
    poller->ready.resize(static_cast<size_t>(poller->max_events));
  }
  return add(poller, wake_fd, 0, POLLIN);
}

// pollerCreate(epoll, buffer id, maxEvents) -> poller id or -errno
static napi_value JS_pollerCreate(napi_env env, napi_callback_info info) {
  Args<3> args(env, info, "pollerCreate");
  bool use_epoll = false;
  int buffer_id = 0;
  int max_events = 0;
  if (!args.boolean(0, "epoll", &use_epoll)) return nullptr;
  if (!args.integer(1, "buffer id", kIdRange, &buffer_id)) return nullptr;
  if (!args.integer(2, "maxEvents", kMaxEventsRange, &max_events)) return nullptr;
  uint8_t* data = nullptr;
  size_t size = 0;
  if (!buffer_memory(args.addon, buffer_id, &data, &size)) {
    throw_unknown_buffer(env, args.fn);
    return nullptr;
  }
  PollerSlot* poller = new PollerSlot;
  poller->addon = args.addon;
  poller->buffer_id = buffer_id;
  poller->max_events = max_events;
  const int opened = open_poller(args.addon, poller, use_epoll);
  const int id = opened < 0 ? opened : args.addon->pollers.add(poller);
  if (id <= 0) free_poller(args.addon, poller);
  return number(env, id == 0 ? -ENFILE : id);
}

static PollerSlot* poller_argument(const Addon* addon, napi_env env, const char* fn, int id) {
  PollerSlot* poller = addon->pollers.find(id);
  if (poller == nullptr) {
    throw_code(env, "ERR_EXTPOLL_POLLER_CLOSED", fn, "there is no such poller, or it was closed.");
  }
  return poller;
}

template <size_t N>
static PollerSlot* poller_of(const Args<N>& args) {
  int id = 0;
  if (!args.integer(0, "poller id", kIdRange, &id)) return nullptr;
  return poller_argument(args.addon, args.env, args.fn, id);
}

// pollerClose(id) -> undefined. The descriptors in the set stay open.
static napi_value JS_pollerClose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "pollerClose");
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr) return nullptr;
  int id = 0;
  args.integer(0, "poller id", kIdRange, &id);
  args.addon->pollers.remove(id);
  free_poller(args.addon, poller);
  return nullptr;
}

// pollerFd(id) -> the epoll descriptor, -1 for poll(2)
static napi_value JS_pollerFd(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "pollerFd");
  const PollerSlot* poller = poller_of(args);
  return poller == nullptr ? nullptr : number(env, poller->epoll_fd);
}

// pollerWakeFd(id) -> the eventfd of the set
static napi_value JS_pollerWakeFd(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "pollerWakeFd");
  const PollerSlot* poller = poller_of(args);
  return poller == nullptr ? nullptr : number(env, poller->wake_fd);
}

using Change = int (*)(PollerSlot*, int, uint32_t, uint32_t);

static napi_value change(const Args<4>& args, Change apply) {
  int fd = 0;
  uint32_t events = 0;
  uint32_t gen = 0;
  if (!args.fd(1, &fd) || !args.integer(2, "events", kEventsRange, &events)) return nullptr;
  if (!args.integer(3, "gen", kGenRange, &gen)) return nullptr;
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr) return nullptr;
  if (fd == poller->wake_fd) return number(args.env, -EINVAL);
  return number(args.env, apply(poller, fd, gen, events));
}

// pollerAdd(id, fd, events, gen) -> 0 or -errno. A repeat is a modify.
static napi_value JS_pollerAdd(napi_env env, napi_callback_info info) {
  return change(Args<4>(env, info, "pollerAdd"), add);
}

// pollerModify(id, fd, events, gen) -> 0 or -errno
static napi_value JS_pollerModify(napi_env env, napi_callback_info info) {
  return change(Args<4>(env, info, "pollerModify"), modify);
}

// pollerRemove(id, fd) -> 0 or -errno
static napi_value JS_pollerRemove(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "pollerRemove");
  int fd = 0;
  if (!args.fd(1, &fd)) return nullptr;
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr) return nullptr;
  if (fd == poller->wake_fd) return number(env, -EINVAL);
  return number(env, remove(poller, fd));
}

static int wait_epoll(PollerSlot* poller, int32_t* triples, int timeout_ms) {
  epoll_event* ready = poller->ready.data();
  poller->blocks = timeout_ms != 0;
  if (poller->sits_out_until_ns != 0 && sit_out(poller) && timeout_ms != 0) timeout_ms = 1;
  const int count = epoll_wait(poller->epoll_fd, ready, poller->max_events, timeout_ms);
  for (int i = 0; i < count; ++i, triples += 3) {
    triples[0] = static_cast<int32_t>(ready[i].data.u64);
    triples[1] = static_cast<int32_t>(ready[i].data.u64 >> 32);
    triples[2] = static_cast<int32_t>(ready[i].events);
  }
  return count;
}

static int wait_poll(PollerSlot* poller, int32_t* triples, int timeout_ms) {
  const size_t size = poller->pollfds.size();
  const int ready = poll(poller->pollfds.data(), size, timeout_ms);
  if (ready <= 0) return ready;
  int count = 0;
  size_t at = poller->scan_from % size;
  for (size_t seen = 0; seen < size && count < ready && count < poller->max_events; ++seen) {
    pollfd& entry = poller->pollfds[at];
    if (entry.revents != 0) {
      triples[0] = entry.fd;
      triples[1] = static_cast<int32_t>(poller->gens[at]);
      triples[2] = entry.revents;
      triples += 3;
      ++count;
      // At mask 0, and where it was closed without being removed: said once, not again and again.
      // poll(2) leaves out an entry whose fd is negative; ~fd works for 0 too.
      if (entry.events == 0 || entry.revents == POLLNVAL) entry.fd = ~entry.fd;
    }
    at = at + 1 == size ? 0 : at + 1;
  }
  poller->scan_from = at;
  return count;
}

// wait(id, timeoutMs) -> how many triples (fd, gen, revents) it wrote, or -errno. A signal ends the
// wait with 0, so that JavaScript gets control.
static napi_value JS_wait(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "wait");
  int timeout_ms = 0;
  if (!args.integer(1, "timeoutMs", {-1, 2147483647.0}, &timeout_ms)) return nullptr;
  PollerSlot* poller = poller_of(args);
  if (poller == nullptr) return nullptr;
  uint8_t* data = nullptr;
  size_t size = 0;
  if (!buffer_memory(args.addon, poller->buffer_id, &data, &size)) {
    throw_unknown_buffer(env, args.fn);
    return nullptr;
  }
  if (size < kTripleBytes * static_cast<size_t>(poller->max_events)) {
    throw_outside(env, args.fn);
    return nullptr;
  }
  int32_t* triples = reinterpret_cast<int32_t*>(data);
  const int count = poller->epoll_fd >= 0 ? wait_epoll(poller, triples, timeout_ms)
                                          : wait_poll(poller, triples, timeout_ms);
  return number(env, count >= 0 ? count : errno == EINTR ? 0 : -errno);
}

void export_poller(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "pollerCreate", JS_pollerCreate);
  export_function(env, exports, addon, "pollerClose", JS_pollerClose);
  export_function(env, exports, addon, "pollerFd", JS_pollerFd);
  export_function(env, exports, addon, "pollerWakeFd", JS_pollerWakeFd);
  export_function(env, exports, addon, "pollerAdd", JS_pollerAdd);
  export_function(env, exports, addon, "pollerModify", JS_pollerModify);
  export_function(env, exports, addon, "pollerRemove", JS_pollerRemove);
  export_function(env, exports, addon, "wait", JS_wait);
}

}  // namespace extpoll
