/*
 * Echoes: each connection keeps its messages in flight until the phase is over.
 *
 * A burst: with K in flight, K frames leave in one send, and the next K when all of these are back.
 * So every server hears the same thing, whatever the pieces it answers in: a refill "as they
 * return" would hand the small pieces of a slow writer back to it, and measure that instead.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "phase.h"

static uint8_t receive_buffer[RECEIVE_BYTES];

static void watch(const struct load *load, struct client *client, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = client};
  if (epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, client->fd, &event) != 0) fail("epoll_ctl failed");
}

static void start_burst(const struct load *load, struct client *client) {
  client_prepare(client, &load->workload);
  enum client_result result = client_send(client);
  if (result == CLIENT_ERROR) exit(1);
  if (result == CLIENT_AGAIN) watch(load, client, EPOLLIN | EPOLLOUT);
}

/* One connection is ready. Answers whether its burst is complete. */
static bool serve_event(const struct load *load, const struct epoll_event *event) {
  struct client *client = event->data.ptr;
  if (event->events & EPOLLOUT) {
    enum client_result result = client_send(client);
    if (result == CLIENT_ERROR) exit(1);
    if (result == CLIENT_DONE) watch(load, client, EPOLLIN);
  }
  if (!(event->events & ~(uint32_t)EPOLLOUT)) return false;
  enum client_result result = client_receive(client, receive_buffer, RECEIVE_BYTES);
  if (result == CLIENT_ERROR) exit(1);
  return result == CLIENT_DONE;
}

struct phase echo_phase(struct load *load, struct length length) {
  static struct epoll_event events[EVENTS_MAX];
  struct phase phase = {.server_cpu_ns = server_cpu_ns(load->server_pid)};
  const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
  const uint64_t end_ns = start_ns + (uint64_t)(length.seconds * 1e9);
  const uint64_t burst = load->workload.in_flight;
  size_t busy = load->connections;
  uint64_t started = busy * burst;
  for (size_t i = 0; i < load->connections; i++) start_burst(load, &load->clients[i]);
  while (busy > 0) {
    int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (count == 0) fail("no echo for 10 seconds");
    if (count < 0 && errno != EINTR) fail("epoll_wait failed");
    phase.waits++;
    const bool over = length.messages == 0 && now_ns(CLOCK_MONOTONIC) >= end_ns;
    for (int i = 0; i < count; i++) {
      if (!serve_event(load, &events[i])) continue;
      phase.messages += burst;
      if (over || (length.messages > 0 && started >= length.messages)) {
        busy--;
        continue;
      }
      started += burst;
      start_burst(load, events[i].data.ptr);
    }
  }
  phase.elapsed_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
  phase.server_cpu_ns = server_cpu_ns(load->server_pid) - phase.server_cpu_ns;
  return phase;
}
