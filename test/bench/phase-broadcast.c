/*
 * Broadcasts: the first connection sends one message, and all of them, itself included, must get
 * it; then the next. Every byte that every connection gets is compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "phase.h"

static uint8_t receive_buffer[RECEIVE_BYTES];

/* All wait for what the first one sends. */
static void publish(struct load *load) {
  struct client *publisher = &load->clients[0];
  client_prepare(publisher, &load->workload);
  for (size_t i = 1; i < load->connections; i++) {
    load->clients[i].expected = publisher->expected;
    load->clients[i].expected_bytes = publisher->expected_bytes;
    load->clients[i].received = 0;
  }
  if (client_send(publisher) != CLIENT_DONE) fail("the message to broadcast did not leave at once");
}

struct phase broadcast_phase(struct load *load, struct length length) {
  static struct epoll_event events[EVENTS_MAX];
  struct phase phase = {.server_cpu_ns = server_cpu_ns(load->server_pid)};
  const uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
  const uint64_t end_ns = start_ns + (uint64_t)(length.seconds * 1e9);
  bool over = false;
  while (!over) {
    publish(load);
    for (size_t missing = load->connections; missing > 0;) {
      int count = epoll_wait(load->epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
      if (count == 0) fail("a broadcast did not reach everyone within 10 seconds");
      if (count < 0 && errno != EINTR) fail("epoll_wait failed");
      phase.waits++;
      for (int i = 0; i < count; i++) {
        enum client_result result =
            client_receive(events[i].data.ptr, receive_buffer, RECEIVE_BYTES);
        if (result == CLIENT_ERROR) exit(1);
        if (result == CLIENT_DONE) missing--;
      }
    }
    phase.messages += load->connections;
    over = length.messages > 0 ? phase.messages >= length.messages
                               : now_ns(CLOCK_MONOTONIC) >= end_ns;
  }
  phase.elapsed_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
  phase.server_cpu_ns = server_cpu_ns(load->server_pid) - phase.server_cpu_ns;
  return phase;
}
