/*
 * Upgrades: connections are opened until all are; only this counts. Then they are reset, and when
 * the server has dealt with their ends the next ones are opened.
 *
 * In waves: the server is stopped until so many wait for it, and the load looks on while it works:
 * it never waits for the load. As a stream so many are always under way: a server that is faster
 * than the load waits for it in between.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "phase.h"

/* The server is done when its CPU clock stood still for so long. */
enum { QUIET_STEP_US = 10000, QUIET_STEPS_MAX = 500 };
/* More would not fit into a server's backlog, and it accepts nobody while it is stopped. */
enum { WAVE_MAX = 500 };
/* What a server's own timers take meanwhile. */
static const uint64_t quiet_ns = 100000;

/* Opens all connections of the load, and adds to the phase how long that took. */
typedef void (*opening)(struct load *load, struct phase *phase);

static void begin(struct client *client, const struct load *load) {
  if (client_begin(client, &load->workload) == CLIENT_ERROR) exit(1);
}

static void finish(struct client *client) {
  if (client_finish(client) == CLIENT_ERROR) exit(1);
}

static void tell_server(const struct load *load, int signal_number) {
  if (load->server_pid == 0 || kill(load->server_pid, signal_number) != 0)
    fail("the server cannot be stopped");
}

static void open_wave(struct load *load, struct phase *phase, size_t first, size_t end) {
  tell_server(load, SIGSTOP);
  for (size_t i = first; i < end; i++) begin(&load->clients[i], load);
  const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
  tell_server(load, SIGCONT);
  for (size_t i = first; i < end; i++) finish(&load->clients[i]);
  phase->elapsed_ns += now_ns(CLOCK_MONOTONIC) - start_ns;
  phase->waits++;
}

static void open_in_waves(struct load *load, struct phase *phase) {
  const size_t size = load->workload.in_flight;
  if (size > WAVE_MAX) fail("a wave of upgrades is 500 at most");
  for (size_t first = 0; first < load->connections; first += size) {
    const size_t left = load->connections - first;
    open_wave(load, phase, first, first + (left < size ? left : size));
  }
}

static void watch(const struct load *load, struct client *client) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0) fail("epoll_ctl failed");
}

static void open_as_stream(struct load *load, struct phase *phase) {
  static struct epoll_event events[EVENTS_MAX];
  const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
  size_t begun = 0, done = 0;
  while (done < load->connections) {
    for (; begun < load->connections && begun - done < load->workload.in_flight; begun++) {
      begin(&load->clients[begun], load);
      watch(load, &load->clients[begun]);
    }
    int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (count == 0) fail("no answer to an upgrade for 10 seconds");
    if (count < 0 && errno != EINTR) fail("epoll_wait failed");
    phase->waits++;
    for (int i = 0; i < count; i++, done++) {
      struct client *client = events[i].data.ptr;
      finish(client);
      /* What comes now, comes unasked: it must not be waited for. */
      epoll_ctl(load->epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
    }
  }
  phase->elapsed_ns += now_ns(CLOCK_MONOTONIC) - start_ns;
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

static struct phase repeat(struct load *load, struct length length, opening open_all) {
  struct phase phase = {0};
  const uint64_t wanted_ns = (uint64_t)(length.seconds * 1e9);
  do {
    const uint64_t start_cpu_ns = server_cpu_ns(load->server_pid);
    open_all(load, &phase);
    phase.server_cpu_ns += server_cpu_ns(load->server_pid) - start_cpu_ns;
    phase.messages += load->connections;
    close_all(load);
  } while (length.messages > 0 ? phase.messages < length.messages : phase.elapsed_ns < wanted_ns);
  return phase;
}

struct phase upgrade_phase(struct load *load, struct length length) {
  return repeat(load, length, open_in_waves);
}

struct phase upgrade_stream_phase(struct load *load, struct length length) {
  return repeat(load, length, open_as_stream);
}
