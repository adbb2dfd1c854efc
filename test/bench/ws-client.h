/*
 * One WebSocket connection of the load: bursts of frames out, echoes back, every byte compared.
 */
#ifndef BENCH_WS_CLIENT_H
#define BENCH_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accept-key.h"

struct workload {
  int port;
  bool raw;  /* no handshake, and the very bytes that were sent are expected back */
  bool text; /* text messages of valid UTF-8; binary ones otherwise */
  size_t payload_bytes;
  size_t in_flight;
};

struct client {
  int fd;
  uint8_t *out; /* the frames of one burst, masked */
  size_t out_bytes, out_sent;
  uint8_t *expected; /* what must come back: in raw mode the same memory as out */
  size_t expected_bytes, received;
  char accept[ACCEPT_CHARS + 1]; /* what the opening handshake must answer */
};

enum client_result { CLIENT_ERROR = -1, CLIENT_AGAIN = 0, CLIENT_DONE = 1 };

/* Connects and asks for the upgrade; the answer is left to client_finish, once it is there. */
enum client_result client_begin(struct client *client, const struct workload *workload);
enum client_result client_finish(struct client *client);
/* A connected and upgraded blocking socket, or -1 with a line on stderr. */
int client_connect(const struct workload *workload);
/* Connects, upgrades and makes room for one burst. */
enum client_result client_open(struct client *client, const struct workload *workload);
/* Writes a new burst into `out` and what is expected of it; sends nothing. */
void client_prepare(struct client *client, const struct workload *workload);
/* One send. AGAIN: the kernel took only part of it, wait for EPOLLOUT. */
enum client_result client_send(struct client *client);
/* One recv into the caller's buffer. DONE: the burst is complete and right. */
enum client_result client_receive(struct client *client, uint8_t *buffer, size_t size);

#endif
