/*
 * Upgrades: connections are opened, so many at a time, until all are; only this counts. Then they
 * are reset, and when the server has dealt with their ends the next ones are opened.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "phase.h"

/* The server is done when its CPU clock stood still for so long. */
enum { QUIET_STEP_US = 10000, QUIET_STEPS_MAX = 500 };
/* What a server's own timers take meanwhile. */
static const uint64_t quiet_ns = 100000;

static void begin(struct load *load, size_t index) {
  struct client *client = &load->clients[index];
  if (client_begin(client, &load->workload) == CLIENT_ERROR) exit(1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) fail("epoll_ctl failed");
}

static void finish(struct load *load, struct client *client) {
  if (client_finish(client) == CLIENT_ERROR) exit(1);
  /* What comes now, comes unasked: it must not be waited for. */
  epoll_ctl(load->epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
}

static void open_all(struct load *load, struct phase *phase) {
  static struct epoll_event events[EVENTS_MAX];
  size_t begun = 0, done = 0;
  while (done < load->connections) {
    while (begun < load->connections && begun - done < load->workload.in_flight) {
      begin(load, begun++);
    }
    int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (count == 0) fail("no answer to an upgrade for 10 seconds");
    if (count < 0 && errno != EINTR) fail("epoll_wait failed");
    phase->waits++;
    for (int i = 0; i < count; i++, done++) finish(load, events[i].data.ptr);
  }
}

static void close_all(struct load *load) {
  for (size_t i = 0; i < load->connections; i++) close(load->clients[i].fd);
  uint64_t before = server_cpu_ns(load->server_pid);
  for (int step = 0; step < QUIET_STEPS_MAX; step++) {
    usleep(QUIET_STEP_US);
    const uint64_t now = server_cpu_ns(load->server_pid);
    if (now - before < quiet_ns) return;
    before = now;
  }
  fail("the server does not come to rest after its connections ended");
}

struct phase upgrade_phase(struct load *load, struct length length) {
  struct phase phase = {0};
  const uint64_t wanted_ns = (uint64_t)(length.seconds * 1e9);
  do {
    const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    const uint64_t start_cpu_ns = server_cpu_ns(load->server_pid);
    open_all(load, &phase);
    phase.elapsed_ns += now_ns(CLOCK_MONOTONIC) - start_ns;
    phase.server_cpu_ns += server_cpu_ns(load->server_pid) - start_cpu_ns;
    phase.messages += load->connections;
    close_all(load);
  } while (length.messages > 0 ? phase.messages < length.messages : phase.elapsed_ns < wanted_ns);
  return phase;
}
