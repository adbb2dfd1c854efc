/*
 * A bare WebSocket echo over epoll: what a careful C program of one file costs, and the yardstick
 * for ours. Level-triggered, one recv per readiness into one shared buffer; all frames of a recv
 * are answered in one send. Source: RFC 6455 sections 4.2 and 5.
 *
 * With --broadcast every message goes to every connection instead: one send() for each, in a loop.
 *
 * It does all that an echo must: frames of every length, partial frames, short writes (it stops
 * reading until they have left), pings, the closing handshake. It does not validate UTF-8, has no
 * limits beside one, no timeouts and no callbacks: those are a library's, and are in the ratio.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept-key.h"
#include "masking.h"

enum {
  EVENTS_MAX = 256,
  RECEIVE_BYTES = 256 << 10, /* several times the largest message measured */
  FRAME_BYTES_MAX = 16 << 20,
  HEAD_BYTES_MAX = 8192,
  OPCODE_CLOSE = 8,
  OPCODE_PING = 9,
  OPCODE_PONG = 10,
};

struct bytes {
  uint8_t *at;
  size_t count, room;
};

struct connection {
  struct connection *next, **link; /* all of them; what points at this one */
  int fd;
  bool upgraded, closing, writing;
  struct bytes partial; /* the beginning of a frame whose end has not come */
  struct bytes unsent;  /* what the kernel did not take */
};

struct frame {
  uint8_t opcode;
  size_t header_bytes, payload_bytes;
  const uint8_t *key;
};

static int epoll_fd;
static struct connection *connections;
static bool broadcasts;
static uint8_t received[RECEIVE_BYTES];
static struct bytes answer; /* of the call under way; empty between calls */

static void make_room(struct bytes *bytes, size_t room) {
  if (room <= bytes->room) return;
  bytes->at = realloc(bytes->at, room);
  if (!bytes->at) abort();
  bytes->room = room;
}

static void append(struct bytes *bytes, const uint8_t *from, size_t count) {
  make_room(bytes, bytes->count + count);
  memcpy(bytes->at + bytes->count, from, count);
  bytes->count += count;
}

static void watch(struct connection *connection, int op, uint32_t mask) {
  struct epoll_event event = {.events = mask, .data.ptr = connection};
  if (epoll_ctl(epoll_fd, op, connection->fd, &event) != 0) abort();
}

static void end(struct connection *connection) {
  *connection->link = connection->next;
  if (connection->next) connection->next->link = connection->link;
  close(connection->fd);
  free(connection->partial.at);
  free(connection->unsent.at);
  free(connection);
}

/* > 0: the bytes of the whole frame; 0: more is needed to know; -1: not a client's frame. */
static ssize_t parse_header(const uint8_t *at, size_t count, struct frame *frame) {
  if (count < 2) return 0;
  if (!(at[1] & 0x80) || at[0] & 0x70) return -1;
  uint64_t payload_bytes = at[1] & 0x7f;
  const int length_bytes = payload_bytes < 126 ? 0 : payload_bytes == 126 ? 2 : 8;
  frame->header_bytes = 6 + (size_t)length_bytes;
  if (count < frame->header_bytes) return 0;
  if (length_bytes > 0) {
    payload_bytes = 0;
    for (int i = 0; i < length_bytes; i++) payload_bytes = payload_bytes << 8 | at[2 + i];
  }
  if (payload_bytes > FRAME_BYTES_MAX) return -1;
  frame->opcode = at[0] & 0x0f;
  frame->payload_bytes = (size_t)payload_bytes;
  frame->key = at + 2 + length_bytes;
  return (ssize_t)(frame->header_bytes + frame->payload_bytes);
}

/* The answer's header is the request's without mask bit and key, the payload its plain form. */
static void answer_frame(const uint8_t *at, const struct frame *frame) {
  if (frame->opcode == OPCODE_PONG) return;
  const size_t header_bytes = frame->header_bytes - 4;
  make_room(&answer, answer.count + header_bytes + frame->payload_bytes);
  uint8_t *to = answer.at + answer.count;
  memcpy(to, at, header_bytes);
  if (frame->opcode == OPCODE_PING) to[0] = 0x80 | OPCODE_PONG;
  to[1] &= 0x7f;
  mask_copy(to + header_bytes, at + frame->header_bytes, frame->payload_bytes, frame->key);
  answer.count += header_bytes + frame->payload_bytes;
}

/* Answers every whole frame; the count of bytes used, or -1. `*missing`: to complete the next. */
static ssize_t answer_frames(struct connection *connection, const uint8_t *at, size_t count,
                             size_t *missing) {
  size_t used = 0;
  *missing = 0;
  while (used < count && !connection->closing) {
    struct frame frame;
    ssize_t frame_bytes = parse_header(at + used, count - used, &frame);
    if (frame_bytes < 0) return -1;
    if (frame_bytes == 0) break;
    if ((size_t)frame_bytes > count - used) {
      *missing = (size_t)frame_bytes - (count - used);
      break;
    }
    answer_frame(at + used, &frame);
    if (frame.opcode == OPCODE_CLOSE) connection->closing = true;
    used += (size_t)frame_bytes;
  }
  return (ssize_t)used;
}

/* The upgrade, when the whole head is there; the count of bytes used, or -1. */
static ssize_t answer_head(struct connection *connection, const uint8_t *at, size_t count) {
  static const char field[] = "\r\nSec-WebSocket-Key:";
  char head[HEAD_BYTES_MAX + 1], accept[ACCEPT_CHARS + 1], response[256];
  const uint8_t *end_of_head = memmem(at, count, "\r\n\r\n", 4);
  if (!end_of_head) return count < HEAD_BYTES_MAX ? 0 : -1;
  const size_t head_bytes = (size_t)(end_of_head - at) + 4;
  if (head_bytes > HEAD_BYTES_MAX) return -1;
  memcpy(head, at, head_bytes);
  head[head_bytes] = '\0';
  const char *key = strcasestr(head, field);
  if (!key) return -1;
  key += sizeof field - 1;
  key += strspn(key, " ");
  if (strcspn(key, " \r") != KEY_CHARS) return -1;
  accept_key(key, accept);
  int length = snprintf(response, sizeof response,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
  append(&answer, (const uint8_t *)response, (size_t)length);
  connection->upgraded = true;
  return (ssize_t)head_bytes;
}

/* One send of all that was answered. What does not leave is kept, and reading stops for it. */
static bool flush(struct connection *connection) {
  if (answer.count == 0) return true;
  ssize_t sent = 0;
  if (!connection->writing) {
    sent = send(connection->fd, answer.at, answer.count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  }
  const size_t gone = sent < 0 ? 0 : (size_t)sent;
  if (gone < answer.count) {
    append(&connection->unsent, answer.at + gone, answer.count - gone);
    if (!connection->writing) watch(connection, EPOLL_CTL_MOD, EPOLLOUT);
    connection->writing = true;
  }
  return true;
}

/* To everyone who is upgraded. Who has gone is found when its own readiness comes. */
static void flush_all(void) {
  for (struct connection *each = connections; each; each = each->next) {
    if (each->upgraded) flush(each);
  }
}

static bool resume_writing(struct connection *connection) {
  struct bytes *unsent = &connection->unsent;
  ssize_t sent = send(connection->fd, unsent->at, unsent->count, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  unsent->count -= (size_t)sent;
  memmove(unsent->at, unsent->at + sent, unsent->count);
  if (unsent->count > 0) return true;
  if (connection->closing) return false;
  connection->writing = false;
  watch(connection, EPOLL_CTL_MOD, EPOLLIN);
  return true;
}

/* A frame begun earlier is completed where it lies, so that no byte of it is copied twice. */
static bool serve(struct connection *connection) {
  struct bytes *partial = &connection->partial;
  const bool split = partial->count > 0;
  uint8_t *at = split ? partial->at + partial->count : received;
  const size_t room = split ? partial->room - partial->count : RECEIVE_BYTES;
  ssize_t count = recv(connection->fd, at, room, 0);
  if (count <= 0) return count < 0 && (errno == EAGAIN || errno == EINTR);

  at = split ? partial->at : received;
  const size_t have = (size_t)count + (split ? partial->count : 0);
  size_t used = 0, missing = 0;
  ssize_t result = 0;
  const bool was_upgraded = connection->upgraded;
  if (!was_upgraded) {
    result = answer_head(connection, at, have);
    if (result < 0) return false;
    used = (size_t)result;
  }
  if (connection->upgraded) {
    result = answer_frames(connection, at + used, have - used, &missing);
    if (result < 0) return false;
    used += (size_t)result;
  }
  partial->count = 0;
  const size_t left = have - used;
  if (left > 0) {
    /* Room for the rest of this frame and, as far as it is cheap, for what follows it. */
    make_room(partial, left + missing + HEAD_BYTES_MAX);
    memmove(partial->at, (split ? partial->at : received) + used, left);
    partial->count = left;
  }
  if (broadcasts && was_upgraded) flush_all();
  else if (!flush(connection)) return false;
  return connection->writing || !connection->closing;
}

static void accept_one(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) abort();
  connection->fd = fd;
  connection->next = connections;
  connection->link = &connections;
  if (connections) connections->link = &connection->next;
  connections = connection;
  watch(connection, EPOLL_CTL_ADD, EPOLLIN);
}

static int listen_loopback(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
    perror("bare-echo");
    exit(1);
  }
  printf("listening on ws://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  static struct epoll_event events[EVENTS_MAX];
  broadcasts = argc == 2 && strcmp(argv[1], "--broadcast") == 0;
  int listener = listen_loopback();
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) return 1;
  make_room(&answer, RECEIVE_BYTES);
  for (;;) {
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      struct connection *connection = events[i].data.ptr;
      if (!connection) {
        accept_one(listener);
        continue;
      }
      bool alive = events[i].events & EPOLLOUT ? resume_writing(connection) : serve(connection);
      answer.count = 0;
      if (!alive) end(connection);
    }
  }
}
