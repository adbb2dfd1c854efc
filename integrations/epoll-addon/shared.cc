// A listener that several threads accept from, each by a copy of its own, and each in its turn.
//
// A connection wakes one thread: who has waited longest. The kernel wakes the first of its list
// that sleeps in epoll_wait on that very set, so whoever accepted goes to the end, and whoever
// leaves the list passes on a wake that may have been meant for it. Under a loop around the set
// nobody sleeps there: all wake, and one accepts. In a burst the first to run would take all before
// the others have come to run: who is ahead of another sits out a millisecond after each. The list
// is of the process. Knows no owner of the original.
// Source: epoll_ctl(2), EPOLLEXCLUSIVE; epoll(7), Q&A on dup(2).
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "addon.h"

namespace extpoll {

constexpr uint64_t kMayBeAhead = 2;
constexpr int64_t kSitOutNs = 1000000;

// A copy that waits in a set. Which socket it is a copy of, its device and inode tell.
struct Turn {
  PollerSlot* poller;
  int fd;
  epoll_event event;
  dev_t device;
  ino_t inode;
  uint64_t accepted = 0;
  bool sits_out = false;  // in no set until sit_out finds that its time is over

  bool is_copy_of(const Turn& other) const {
    return device == other.device && inode == other.inode;
  }
};

// Never destroyed: a thread may still wait when the process ends.
static std::mutex& turns_mutex = *new std::mutex;
static std::vector<Turn>& turns = *new std::vector<Turn>;

using Lock = std::lock_guard<std::mutex>;

static int64_t now_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

static int join(const Turn& turn) {
  epoll_event event = turn.event;
  event.events |= EPOLLEXCLUSIVE;
  return epoll_ctl(turn.poller->epoll_fd, EPOLL_CTL_ADD, turn.fd, &event) == 0 ? 0 : -errno;
}

static void leave(const Turn& turn) {
  epoll_ctl(turn.poller->epoll_fd, EPOLL_CTL_DEL, turn.fd, nullptr);
}

// To the end of the kernel's list. Where connections wait, the set is ready at once.
static int rejoin(const Turn& turn) {
  leave(turn);
  return join(turn);
}

static void pass_on(const Turn& from) {
  for (const Turn& turn : turns) {
    if (&turn == &from || turn.sits_out || !turn.is_copy_of(from)) continue;
    rejoin(turn);
    return;
  }
}

// Takes out what fits, each of them leaving its set.
template <typename F>
static void end_turns(F fits) {
  for (size_t i = turns.size(); i-- > 0;) {
    if (!fits(turns[i])) continue;
    const Turn gone = turns[i];
    turns.erase(turns.begin() + static_cast<ptrdiff_t>(i));
    leave(gone);
    pass_on(gone);
  }
}

static int begin_turns(PollerSlot* poller, int fd, const epoll_event& event) {
  struct stat about;
  if (!status_of_fd(fd, &about)) return -errno;
  Turn turn = {poller, fd, event, about.st_dev, about.st_ino};
  for (const Turn& other : turns) {  // nobody waits until a newcomer has as many
    if (other.is_copy_of(turn)) turn.accepted = std::max(turn.accepted, other.accepted);
  }
  const int joined = join(turn);
  if (joined == 0) turns.push_back(turn);
  return joined;
}

int take_turns(PollerSlot* poller, int fd, const epoll_event* event) {
  const Lock lock(turns_mutex);
  const auto is_it = [=](const Turn& turn) { return turn.poller == poller && turn.fd == fd; };
  if (event == nullptr) {
    end_turns(is_it);
    return 0;
  }
  const auto found = std::find_if(turns.begin(), turns.end(), is_it);
  if (found == turns.end()) return begin_turns(poller, fd, *event);
  found->event = *event;
  return found->sits_out ? 0 : rejoin(*found);
}

static bool is_ahead(const Turn& turn) {
  return std::any_of(turns.begin(), turns.end(), [&turn](const Turn& other) {
    return other.is_copy_of(turn) && other.accepted + kMayBeAhead < turn.accepted;
  });
}

void end_turn(int fd) {
  const Lock lock(turns_mutex);
  for (Turn& turn : turns) {
    if (turn.fd != fd) continue;
    ++turn.accepted;
    // Only who comes back by itself: a loop around this one may wait until the set is ready.
    UvPoll* uv_poll = turn.poller->uv_poll;
    if ((turn.poller->blocks || uv_poll != nullptr) && is_ahead(turn)) {
      turn.sits_out = true;
      if (uv_poll != nullptr) begin_to_sit_out(uv_poll);
      turn.poller->sits_out_until_ns = now_ns() + kSitOutNs;
      leave(turn);
      pass_on(turn);
    } else {
      rejoin(turn);
    }
  }
}

bool sit_out(PollerSlot* poller) {
  if (now_ns() < poller->sits_out_until_ns) return true;
  poller->sits_out_until_ns = 0;
  const Lock lock(turns_mutex);
  for (Turn& turn : turns) {
    if (turn.poller != poller || !turn.sits_out) continue;
    turn.sits_out = false;
    join(turn);
  }
  return false;
}

void leave_turns_of_set(const PollerSlot* poller) {
  const Lock lock(turns_mutex);
  end_turns([=](const Turn& turn) { return turn.poller == poller; });
}

void forget_shared(Addon* addon, int fd) {
  auto& shared = addon->shared;
  const auto found = std::find(shared.begin(), shared.end(), fd);
  if (found == shared.end()) return;
  shared.erase(found);
  // The original is open still, so closing a copy would not take it out of a set.
  const Lock lock(turns_mutex);
  end_turns([=](const Turn& turn) { return turn.fd == fd; });
}

// Of a stream socket that listens: its kind; else -errno.
static int kind_of_listener(int fd, FdKind* kind) {
  int listens = 0;
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof listens;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return -errno;
  size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return -errno;
  size = sizeof type;
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  if (type != SOCK_STREAM || listens == 0) return -EINVAL;
  *kind = domain == AF_INET || domain == AF_INET6 ? FdKind::kTcp : FdKind::kSocket;
  return 0;
}

// listenShared(listenFd) -> fd or -errno: a copy of a listener, whoever opened it.
static napi_value JS_listenShared(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "listenShared");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  FdKind kind = FdKind::kNone;
  const int known = kind_of_listener(fd, &kind);
  if (known < 0) return number(env, known);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return number(env, -errno);
  if (kind == FdKind::kTcp) set_no_delay(fd);  // accepted sockets inherit it
  const int copy = take_fd(args.addon, fcntl(fd, F_DUPFD_CLOEXEC, 3), kind);
  if (copy < 0) return number(env, copy);
  args.addon->shared.push_back(copy);
  keep_spare(args.addon, copy);
  return number(env, copy);
}

void export_shared(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "listenShared", JS_listenShared);
}

}  // namespace extpoll
