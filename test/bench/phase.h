/*
 * A phase of the load: so many messages, or so long, against the server's CPU clock. What the three
 * kinds of load share, and the three of them.
 */
#ifndef BENCH_PHASE_H
#define BENCH_PHASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ws-client.h"

/* No echo, no broadcast for so long: the server is stuck, and so would we be. */
enum { EVENTS_MAX = 1024, RECEIVE_BYTES = 1 << 20, SILENCE_MAX_MS = 10000 };

/* What a phase counted. A message is what one connection got: an echo, a broadcast, an upgrade. */
struct phase {
  uint64_t messages, elapsed_ns, server_cpu_ns, waits;
};

struct load {
  struct workload workload;
  size_t connections;
  struct client *clients;
  int epoll_fd, server_pid;
};

/* When a phase ends: after so many messages, or, where those are 0, after so many seconds. */
struct length {
  uint64_t messages;
  double seconds;
};

/* Says what failed, and ends the program. */
_Noreturn void fail(const char *what);
uint64_t now_ns(clockid_t clock);
/* utime + stime of all the server's threads: what /proc/PID/stat tells in ticks of 10 ms. */
uint64_t server_cpu_ns(int server_pid);

/* Each begins and ends with nothing in flight, so that messages and CPU time belong together. */
struct phase echo_phase(struct load *load, struct length length);
struct phase broadcast_phase(struct load *load, struct length length);
struct phase upgrade_phase(struct load *load, struct length length);
struct phase upgrade_stream_phase(struct load *load, struct length length);

#endif
