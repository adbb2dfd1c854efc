// Names to addresses, on threads of their own, since getaddrinfo(3) waits.
//
// At most four threads for an environment, begun when they are needed. They are detached and share
// what they use by counted references: an environment may end, or the process, while a name server
// is silent. Knows no socket; answers wait behind an eventfd.
// Source: getaddrinfo(3), eventfd(2), pthread_create(3).
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <new>

#include "addon.h"
#include "glibc-floor.h"

namespace extpoll {

constexpr int kMaxThreads = 4;
constexpr size_t kMaxWaiting = 65536;
constexpr size_t kMaxAnswerAddresses = 256;
constexpr size_t kMaxNameBytes = 1024;

struct Answer {
  int id;
  std::string error;
  std::vector<std::string> addresses;
};

// One resolver of JavaScript's: where its answers go. Closed, it takes no more.
struct Inbox {
  std::mutex mutex;
  int fd = -1;
  std::list<Answer> answers;

  void put(Answer answer) {
    std::lock_guard<std::mutex> lock(mutex);
    if (fd < 0) return;
    answers.push_back(std::move(answer));
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
  }
};

struct Question {
  std::shared_ptr<Inbox> inbox;
  int id;
  std::string name;
  int family;
};

// What the threads of one environment share. A thread that finds nothing to do ends.
struct Pool {
  std::mutex mutex;
  std::list<Question> questions;
  int threads = 0;
  bool ended = false;
};

struct ResolverState {
  std::shared_ptr<Pool> pool = std::shared_ptr<Pool>(new Pool);
  std::vector<std::shared_ptr<Inbox>> inboxes;  // by descriptor
};

static std::string error_name(int code) {
  switch (code) {
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
      return "ENOTFOUND";
    case EAI_AGAIN:
      return "EAI_AGAIN";
    case EAI_FAIL:
      return "EAI_FAIL";
    case EAI_MEMORY:
      return "ENOMEM";
    case EAI_SYSTEM:
      return errno == EMFILE ? "EMFILE" : "EAI_SYSTEM";
    default:
      return "EAI_" + std::to_string(code);
  }
}

static std::string address_text(const addrinfo* entry) {
  char text[NI_MAXHOST] = "";
  const int failed = getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof text, nullptr, 0,
                                 NI_NUMERICHOST);
  return failed == 0 ? text : "";
}

static Answer look_up(const Question& question) {
  Answer answer{question.id, "", {}};
  addrinfo hints = {};
  hints.ai_family = question.family;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(question.name.c_str(), nullptr, &hints, &found);
  if (code != 0) {
    answer.error = error_name(code);
    return answer;
  }
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    std::string text = address_text(entry);
    if (!text.empty() && answer.addresses.size() < kMaxAnswerAddresses) {
      answer.addresses.push_back(std::move(text));
    }
  }
  freeaddrinfo(found);
  if (answer.addresses.empty()) answer.error = "ENOTFOUND";
  return answer;
}

static void* thread_main(void* data) {
  std::unique_ptr<std::shared_ptr<Pool>> holder(static_cast<std::shared_ptr<Pool>*>(data));
  const std::shared_ptr<Pool> pool = *holder;
  for (;;) {
    Question question;
    {
      std::lock_guard<std::mutex> lock(pool->mutex);
      if (pool->ended || pool->questions.empty()) {
        --pool->threads;
        return nullptr;
      }
      question = std::move(pool->questions.front());
      pool->questions.pop_front();
    }
    question.inbox->put(look_up(question));
  }
}

// Signals are the business of other threads. Answers 0 or the errno.
static int begin_thread(const std::shared_ptr<Pool>& pool) {
  auto* holder = new (std::nothrow) std::shared_ptr<Pool>(pool);
  if (holder == nullptr) return ENOMEM;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const int failed = pthread_create(&thread, &attributes, thread_main, holder);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) delete holder;
  return failed;
}

// Answers 0 or the errno. Where no thread can be had, those that are there do the work in turn.
static int ask(const std::shared_ptr<Pool>& pool, Question question) {
  std::lock_guard<std::mutex> lock(pool->mutex);
  if (pool->questions.size() >= kMaxWaiting) return EAGAIN;
  pool->questions.push_back(std::move(question));
  if (pool->threads >= kMaxThreads) return 0;
  const int failed = begin_thread(pool);
  if (failed == 0) ++pool->threads;
  if (failed == 0 || pool->threads > 0) return 0;
  pool->questions.pop_back();
  return failed;
}

static std::shared_ptr<Inbox> inbox_of(const Addon* addon, int fd) {
  if (addon->fds.kind(fd) != FdKind::kResolver) return nullptr;
  return addon->resolver->inboxes[static_cast<size_t>(fd)];
}

// resolverOpen() -> fd or -errno
static napi_value JS_resolverOpen(napi_env env, napi_callback_info info) {
  Args<0> args(env, info, "resolverOpen");
  Addon* addon = args.addon;
  const int fd = take_fd(addon, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), FdKind::kResolver);
  if (fd < 0) return number(env, fd);
  if (addon->resolver == nullptr) addon->resolver = new ResolverState;
  auto& inboxes = addon->resolver->inboxes;
  if (inboxes.size() <= static_cast<size_t>(fd)) inboxes.resize(static_cast<size_t>(fd) + 1);
  inboxes[static_cast<size_t>(fd)] = std::shared_ptr<Inbox>(new Inbox);
  inboxes[static_cast<size_t>(fd)]->fd = fd;
  return number(env, fd);
}

constexpr Range kFamilyRange{4, 6};

// resolverStart(fd, id, name, family 4 or 6) -> 0 or -errno
static napi_value JS_resolverStart(napi_env env, napi_callback_info info) {
  Args<4> args(env, info, "resolverStart");
  int fd = 0;
  int id = 0;
  int family = 0;
  std::string name;
  if (!args.fd(0, &fd) || !args.integer(1, "id", kIdRange, &id)) return nullptr;
  if (!text_argument(env, args.fn, "name", args.values[2], kMaxNameBytes, &name)) return nullptr;
  if (!args.integer(3, "family", kFamilyRange, &family)) return nullptr;
  std::shared_ptr<Inbox> inbox = inbox_of(args.addon, fd);
  if (inbox == nullptr) return number(env, -EBADF);
  const int af = family == 6 ? AF_INET6 : AF_INET;
  return number(env, -ask(args.addon->resolver->pool, {std::move(inbox), id, name, af}));
}

static void drain(int fd) {
  uint64_t count = 0;
  while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

static napi_value text_value(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.c_str(), text.size(), &value);
  return value;
}

// resolverTake(fd) -> { id, addresses, error }, or null where none waits
static napi_value JS_resolverTake(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "resolverTake");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  napi_value result = nullptr;
  napi_get_null(env, &result);
  const std::shared_ptr<Inbox> inbox = inbox_of(args.addon, fd);
  if (inbox == nullptr) return result;
  Answer answer;
  {
    std::lock_guard<std::mutex> lock(inbox->mutex);
    if (inbox->answers.empty()) {
      drain(fd);
      return result;
    }
    answer = std::move(inbox->answers.front());
    inbox->answers.pop_front();
  }
  napi_value addresses = nullptr;
  napi_create_array_with_length(env, answer.addresses.size(), &addresses);
  for (size_t i = 0; i < answer.addresses.size(); ++i) {
    napi_value text = text_value(env, answer.addresses[i]);
    napi_set_element(env, addresses, static_cast<uint32_t>(i), text);
  }
  napi_create_object(env, &result);
  napi_set_named_property(env, result, "id", number(env, answer.id));
  napi_set_named_property(env, result, "addresses", addresses);
  napi_set_named_property(env, result, "error", text_value(env, answer.error));
  return result;
}

// resolverCancel(fd, id): what no thread has begun is not begun any more.
static napi_value JS_resolverCancel(napi_env env, napi_callback_info info) {
  Args<2> args(env, info, "resolverCancel");
  int fd = 0;
  int id = 0;
  if (!args.fd(0, &fd) || !args.integer(1, "id", kIdRange, &id)) return nullptr;
  const std::shared_ptr<Inbox> inbox = inbox_of(args.addon, fd);
  if (inbox == nullptr) return nullptr;
  Pool& pool = *args.addon->resolver->pool;
  std::lock_guard<std::mutex> lock(pool.mutex);
  for (auto at = pool.questions.begin(); at != pool.questions.end(); ++at) {
    if (at->inbox != inbox || at->id != id) continue;
    pool.questions.erase(at);
    break;
  }
  return nullptr;
}

static void close_inbox(ResolverState* state, int fd) {
  std::shared_ptr<Inbox>& inbox = state->inboxes[static_cast<size_t>(fd)];
  if (inbox == nullptr) return;
  {
    std::lock_guard<std::mutex> lock(state->pool->mutex);
    auto& questions = state->pool->questions;
    for (auto at = questions.begin(); at != questions.end();) {
      at = at->inbox == inbox ? questions.erase(at) : std::next(at);
    }
  }
  {
    // A thread that answers holds this lock: afterwards none writes to the descriptor.
    std::lock_guard<std::mutex> lock(inbox->mutex);
    inbox->fd = -1;
    inbox->answers.clear();
  }
  inbox.reset();
}

// resolverClose(fd) -> 0 or -errno
static napi_value JS_resolverClose(napi_env env, napi_callback_info info) {
  Args<1> args(env, info, "resolverClose");
  int fd = 0;
  if (!args.fd(0, &fd)) return nullptr;
  if (args.addon->fds.kind(fd) != FdKind::kResolver) return number(env, -EBADF);
  close_inbox(args.addon->resolver, fd);
  args.addon->fds.set(fd, FdKind::kNone);
  close(fd);
  return number(env, 0);
}

// Before the descriptors close. Threads that wait for a name server end by themselves.
void release_resolver(Addon* addon) {
  ResolverState* state = addon->resolver;
  if (state == nullptr) return;
  addon->resolver = nullptr;
  {
    std::lock_guard<std::mutex> lock(state->pool->mutex);
    state->pool->ended = true;
    state->pool->questions.clear();
  }
  for (size_t fd = 0; fd < state->inboxes.size(); ++fd) close_inbox(state, static_cast<int>(fd));
  delete state;
}

void export_resolver(napi_env env, napi_value exports, Addon* addon) {
  export_function(env, exports, addon, "resolverOpen", JS_resolverOpen);
  export_function(env, exports, addon, "resolverStart", JS_resolverStart);
  export_function(env, exports, addon, "resolverTake", JS_resolverTake);
  export_function(env, exports, addon, "resolverCancel", JS_resolverCancel);
  export_function(env, exports, addon, "resolverClose", JS_resolverClose);
}

}  // namespace extpoll
