/*
 * The load generator: opens connections to 127.0.0.1, keeps each one's messages in flight, and
 * compares every echoed byte. It reads the server's CPU clock itself, at the very moments the
 * measured phase begins and ends. Knows nothing of what serves, of rounds, or of statistics.
 *
 * A burst: with K in flight, K frames leave in one send, and the next K when all of these are back.
 * So every server hears the same thing, whatever the pieces it answers in: a refill "as they
 * return" would hand the small pieces of a slow writer back to it, and measure that instead.
 *
 * Both phases begin and end with nothing in flight: messages and CPU time belong together exactly.
 *
 * stdout, a line each: `idle N` (so many idle connections are open), `warm`, `measured`, and last
 * the result as JSON. With --hold each of the first three waits for a line on stdin.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "payload.h"
#include "ws-client.h"

enum {
  EVENTS_MAX = 1024,
  RECEIVE_BYTES = 1 << 20,
  SILENCE_MAX_MS = 10000, /* no echo for so long: the server is stuck, and so would we be */
  IDLE_STEPS_MAX = 8,
  CONNECTIONS_MAX = 100000,
};

struct settings {
  struct workload workload;
  size_t connections;
  size_t idle[IDLE_STEPS_MAX];
  size_t idle_steps;
  double warmup_seconds, seconds;
  uint64_t messages; /* 0: as many as fit into `seconds` */
  int server_pid, cpu;
  bool hold;
};

struct phase {
  uint64_t messages, elapsed_ns, server_cpu_ns, waits;
};

static struct settings settings = {
    .workload = {.payload_bytes = 20, .in_flight = 1},
    .connections = 100,
    .warmup_seconds = 0.2,
    .seconds = 1,
    .cpu = -1,
};
static struct client *clients;
static int *idle_fds;
static size_t idle_open;
static int epoll_fd;
static uint8_t receive_buffer[RECEIVE_BYTES];

static void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

static uint64_t now_ns(clockid_t clock) {
  struct timespec t = {0};
  if (clock_gettime(clock, &t) != 0) fail("the server has ended, or its clock cannot be read");
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* utime + stime of all its threads, in nanoseconds: what /proc/PID/stat tells in ticks of 10 ms. */
static uint64_t server_cpu_ns(void) {
  clockid_t clock;
  if (settings.server_pid == 0) return 0;
  if (clock_getcpuclockid(settings.server_pid, &clock) != 0) fail("no such server process");
  return now_ns(clock);
}

static void say(const char *line) {
  puts(line);
  fflush(stdout);
  if (!settings.hold) return;
  char answer[64];
  if (!fgets(answer, sizeof answer, stdin)) exit(1); /* whoever held us is gone */
}

static void watch(struct client *client, int op, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  if (epoll_ctl(epoll_fd, op, client->fd, &event) != 0) fail("epoll_ctl failed");
}

static void start_burst(struct client *client) {
  client_prepare(client, &settings.workload);
  enum client_result result = client_send(client);
  if (result == CLIENT_ERROR) exit(1);
  if (result == CLIENT_AGAIN) watch(client, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

/* One connection is ready. Answers whether its burst is complete. */
static bool serve_event(const struct epoll_event *event) {
  struct client *client = event->data.ptr;
  if (event->events & EPOLLOUT) {
    enum client_result result = client_send(client);
    if (result == CLIENT_ERROR) exit(1);
    if (result == CLIENT_DONE) watch(client, EPOLL_CTL_MOD, EPOLLIN);
  }
  if (!(event->events & ~(uint32_t)EPOLLOUT)) return false;
  enum client_result result = client_receive(client, receive_buffer, RECEIVE_BYTES);
  if (result == CLIENT_ERROR) exit(1);
  return result == CLIENT_DONE;
}

static struct phase run_phase(uint64_t messages_max, double seconds) {
  static struct epoll_event events[EVENTS_MAX];
  struct phase phase = {.server_cpu_ns = server_cpu_ns()};
  const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
  const uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9);
  size_t busy = settings.connections;
  uint64_t started = busy * settings.workload.in_flight;
  for (size_t i = 0; i < settings.connections; i++) start_burst(&clients[i]);
  while (busy > 0) {
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (count == 0) fail("no echo for 10 seconds");
    if (count < 0 && errno != EINTR) fail("epoll_wait failed");
    phase.waits++;
    const bool over = messages_max == 0 && now_ns(CLOCK_MONOTONIC) >= end_ns;
    for (int i = 0; i < count; i++) {
      if (!serve_event(&events[i])) continue;
      phase.messages += settings.workload.in_flight;
      if (over || (messages_max > 0 && started >= messages_max)) {
        busy--;
        continue;
      }
      started += settings.workload.in_flight;
      start_burst(events[i].data.ptr);
    }
  }
  phase.elapsed_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
  phase.server_cpu_ns = server_cpu_ns() - phase.server_cpu_ns;
  return phase;
}

static void open_idle(void) {
  if (settings.idle_steps == 0) return;
  const size_t most = settings.idle[settings.idle_steps - 1];
  idle_fds = calloc(most, sizeof *idle_fds);
  if (!idle_fds) fail("no memory");
  for (size_t step = 0; step < settings.idle_steps; step++) {
    for (; idle_open < settings.idle[step]; idle_open++) {
      idle_fds[idle_open] = client_connect(&settings.workload);
      if (idle_fds[idle_open] < 0) exit(1);
    }
    char line[32];
    snprintf(line, sizeof line, "idle %zu", idle_open);
    say(line);
  }
}

/* An idle connection the server dropped, or wrote to, would have measured something else. */
static void check_idle(void) {
  for (size_t i = 0; i < idle_open; i++) {
    uint8_t byte;
    ssize_t count = recv(idle_fds[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count >= 0 || errno != EAGAIN) fail("an idle connection did not stay open and silent");
  }
}

static void open_clients(void) {
  clients = calloc(settings.connections, sizeof *clients);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (!clients || epoll_fd < 0) fail("no memory");
  for (size_t i = 0; i < settings.connections; i++) {
    if (client_open(&clients[i], &settings.workload) == CLIENT_ERROR) exit(1);
    watch(&clients[i], EPOLL_CTL_ADD, EPOLLIN);
  }
}

static double number(const char *text, double least, double most) {
  char *end;
  double value = strtod(text, &end);
  if (*text != '\0' && *end == '\0' && value >= least && value <= most) return value;
  fprintf(stderr, "load: '%s' is not a number from %.0f to %.0f\n", text, least, most);
  exit(2);
}

static void parse_idle(char *list) {
  for (char *step = strtok(list, ","); step; step = strtok(NULL, ",")) {
    if (settings.idle_steps == IDLE_STEPS_MAX) fail("too many steps in --idle");
    settings.idle[settings.idle_steps++] = (size_t)number(step, 1, CONNECTIONS_MAX);
  }
}

static void parse_options(int argc, char **argv) {
  static const struct option options[] = {
      {"port", 1, 0, 'p'},     {"connections", 1, 0, 'c'}, {"bytes", 1, 0, 'b'},
      {"in-flight", 1, 0, 'k'}, {"text", 0, 0, 't'},        {"raw", 0, 0, 'r'},
      {"idle", 1, 0, 'i'},     {"warmup", 1, 0, 'w'},      {"seconds", 1, 0, 's'},
      {"messages", 1, 0, 'm'}, {"server-pid", 1, 0, 'q'},  {"cpu", 1, 0, 'u'},
      {"hold", 0, 0, 'h'},     {0},
  };
  struct workload *workload = &settings.workload;
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (c) {
      case 'p': workload->port = (int)number(optarg, 1, 65535); break;
      case 'c': settings.connections = (size_t)number(optarg, 0, CONNECTIONS_MAX); break;
      case 'b': workload->payload_bytes = (size_t)number(optarg, 0, 1 << 24); break;
      case 'k': workload->in_flight = (size_t)number(optarg, 1, 1024); break;
      case 't': workload->text = true; break;
      case 'r': workload->raw = true; break;
      case 'i': parse_idle(optarg); break;
      case 'w': settings.warmup_seconds = number(optarg, 0, 60); break;
      case 's': settings.seconds = number(optarg, 0, 600); break;
      case 'm': settings.messages = (uint64_t)number(optarg, 1, 1e9); break;
      case 'q': settings.server_pid = (int)number(optarg, 1, 1 << 30); break;
      case 'u': settings.cpu = (int)number(optarg, 0, CPU_SETSIZE - 1); break;
      case 'h': settings.hold = true; break;
      default: exit(2);
    }
  }
  if (optind != argc) fail("every argument is an option");
  if (workload->port == 0) fail("--port is missing");
}

int main(int argc, char **argv) {
  parse_options(argc, argv);
  if (settings.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(settings.cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) fail("no such core to run on");
  }
  payload_seed();
  open_idle();
  struct phase warmup = {0}, measured = {0};
  if (settings.connections > 0) {
    open_clients();
    warmup = run_phase(0, settings.warmup_seconds);
    say("warm");
    measured = run_phase(settings.messages, settings.seconds);
    say("measured");
  }
  check_idle();
  printf("{\"messages\":%llu,\"elapsedNs\":%llu,\"serverCpuNs\":%llu,\"waits\":%llu,"
         "\"warmupMessages\":%llu}\n",
         (unsigned long long)measured.messages, (unsigned long long)measured.elapsed_ns,
         (unsigned long long)measured.server_cpu_ns, (unsigned long long)measured.waits,
         (unsigned long long)warmup.messages);
  return 0;
}
