/*
 * What every kind of load needs: how it fails, and the two clocks. Knows no sockets.
 */
#define _GNU_SOURCE
#include "phase.h"

#include <stdio.h>
#include <stdlib.h>

void fail(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

uint64_t now_ns(clockid_t clock) {
  struct timespec t = {0};
  if (clock_gettime(clock, &t) != 0) fail("the server has ended, or its clock cannot be read");
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t server_cpu_ns(int server_pid) {
  clockid_t clock;
  if (server_pid == 0) return 0;
  if (clock_getcpuclockid(server_pid, &clock) != 0) fail("no such server process");
  return now_ns(clock);
}
