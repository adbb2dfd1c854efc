/*
 * The load generator: opens connections to 127.0.0.1, keeps them busy, and compares every byte that
 * comes back. It reads the server's CPU clock itself, at the very moments the measured phase begins
 * and ends. What goes on in a phase is in phase-*.c; knows nothing of what serves, of rounds, or of
 * statistics.
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

#include "payload.h"
#include "phase.h"
#include "ws-client.h"

enum { IDLE_STEPS_MAX = 8, CONNECTIONS_MAX = 100000 };

struct kind {
  const char *name;
  struct phase (*run)(struct load *load, struct length length);
  bool keeps_open; /* the connections are open before the first phase, and stay so */
};

static const struct kind kinds[] = {
    {"echo", echo_phase, true},
    {"broadcast", broadcast_phase, true},
    {"upgrade", upgrade_phase, false},
    {"upgrade-stream", upgrade_stream_phase, false},
};

struct settings {
  const struct kind *kind;
  struct load load;
  size_t idle[IDLE_STEPS_MAX];
  size_t idle_steps;
  double warmup_seconds;
  struct length length;
  int cpu;
  bool hold;
};

static struct settings settings = {
    .kind = &kinds[0],
    .load = {.workload = {.payload_bytes = 20, .in_flight = 1}, .connections = 100},
    .warmup_seconds = 0.2,
    .length = {.seconds = 1},
    .cpu = -1,
};
static int *idle_fds;
static size_t idle_open;

static void say(const char *line) {
  puts(line);
  fflush(stdout);
  if (!settings.hold) return;
  char answer[64];
  if (!fgets(answer, sizeof answer, stdin)) exit(1); /* whoever held us is gone */
}

static void open_idle(void) {
  if (settings.idle_steps == 0) return;
  const size_t most = settings.idle[settings.idle_steps - 1];
  idle_fds = calloc(most, sizeof *idle_fds);
  if (!idle_fds) fail("no memory");
  for (size_t step = 0; step < settings.idle_steps; step++) {
    for (; idle_open < settings.idle[step]; idle_open++) {
      idle_fds[idle_open] = client_connect(&settings.load.workload);
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

static void open_clients(struct load *load) {
  load->clients = calloc(load->connections, sizeof *load->clients);
  load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (!load->clients || load->epoll_fd < 0) fail("no memory");
  for (size_t i = 0; settings.kind->keeps_open && i < load->connections; i++) {
    struct client *client = &load->clients[i];
    if (client_open(client, &load->workload) == CLIENT_ERROR) exit(1);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) fail("epoll_ctl failed");
  }
}

static const struct kind *kind_named(const char *name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
  }
  fail("--kind takes echo, broadcast, upgrade or upgrade-stream");
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
      {"hold", 0, 0, 'h'},     {"kind", 1, 0, 'd'},        {0},
  };
  struct workload *workload = &settings.load.workload;
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (c) {
      case 'p': workload->port = (int)number(optarg, 1, 65535); break;
      case 'c': settings.load.connections = (size_t)number(optarg, 0, CONNECTIONS_MAX); break;
      case 'b': workload->payload_bytes = (size_t)number(optarg, 0, 1 << 24); break;
      case 'k': workload->in_flight = (size_t)number(optarg, 1, 1024); break;
      case 't': workload->text = true; break;
      case 'r': workload->raw = true; break;
      case 'i': parse_idle(optarg); break;
      case 'w': settings.warmup_seconds = number(optarg, 0, 60); break;
      case 's': settings.length.seconds = number(optarg, 0, 600); break;
      case 'm': settings.length.messages = (uint64_t)number(optarg, 1, 1e9); break;
      case 'q': settings.load.server_pid = (int)number(optarg, 1, 1 << 30); break;
      case 'u': settings.cpu = (int)number(optarg, 0, CPU_SETSIZE - 1); break;
      case 'h': settings.hold = true; break;
      case 'd': settings.kind = kind_named(optarg); break;
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
  if (settings.load.connections > 0) {
    open_clients(&settings.load);
    const struct length short_while = {.seconds = settings.warmup_seconds};
    warmup = settings.kind->run(&settings.load, short_while);
    say("warm");
    measured = settings.kind->run(&settings.load, settings.length);
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
