/*
 * A client that knows exactly what it will hear: since it chose the messages, the bytes of a right
 * echo are known beforehand (RFC 6455 section 5.2: one unmasked, unfragmented frame with the
 * shortest length), and checking is a comparison of streams. Anything else, a ping included, is
 * reported as a wrong echo. Knows nothing of phases, epoll or clocks.
 */
#define _GNU_SOURCE
#include "ws-client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accept-key.h"
#include "masking.h"
#include "payload.h"

enum { HEADER_BYTES_MAX = 14, RESPONSE_BYTES_MAX = 4096, HANDSHAKE_TIMEOUT_SECONDS = 10 };

static size_t write_header(uint8_t *to, size_t payload_bytes, bool text, bool masked) {
  to[0] = text ? 0x81 : 0x82;
  const uint8_t mask_bit = masked ? 0x80 : 0;
  if (payload_bytes < 126) {
    to[1] = mask_bit | (uint8_t)payload_bytes;
    return 2;
  }
  const int length_bytes = payload_bytes < 65536 ? 2 : 8;
  to[1] = mask_bit | (length_bytes == 2 ? 126 : 127);
  for (int i = 0; i < length_bytes; i++) {
    to[2 + i] = (uint8_t)((uint64_t)payload_bytes >> 8 * (length_bytes - 1 - i));
  }
  return 2 + (size_t)length_bytes;
}

static int connect_socket(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct timeval timeout = {.tv_sec = HANDSHAKE_TIMEOUT_SECONDS};
  const int on = 1;
  /* A reset at the end leaves no TIME_WAIT behind: thousands would slow the next run's connects. */
  const struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

/* Reads up to the empty line, and no further: the server speaks only when spoken to. */
static bool read_response(int fd, char *response) {
  size_t have = 0;
  while (have < RESPONSE_BYTES_MAX - 1) {
    ssize_t count = recv(fd, response + have, RESPONSE_BYTES_MAX - 1 - have, 0);
    if (count <= 0) return false;
    have += (size_t)count;
    response[have] = '\0';
    const char *end = strstr(response, "\r\n\r\n");
    if (end) return end + 4 == response + have;
  }
  return false;
}

static bool send_request(int fd, char accept[ACCEPT_CHARS + 1]) {
  uint8_t nonce[16];
  char key[KEY_CHARS + 1], request[512];
  payload_binary(nonce, sizeof nonce);
  base64_encode(nonce, sizeof nonce, key);
  accept_key(key, accept);
  int length = snprintf(request, sizeof request,
                        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n",
                        key);
  return send(fd, request, (size_t)length, MSG_NOSIGNAL) == length;
}

static bool is_upgraded(int fd, const char accept[ACCEPT_CHARS + 1]) {
  char response[RESPONSE_BYTES_MAX];
  if (!read_response(fd, response)) return false;
  if (strncmp(response, "HTTP/1.1 101 ", 13) != 0) return false;
  const char *field = strcasestr(response, "\r\nsec-websocket-accept:");
  if (!field) return false;
  field += strlen("\r\nsec-websocket-accept:");
  field += strspn(field, " ");
  return strncmp(field, accept, ACCEPT_CHARS) == 0;
}

enum client_result client_begin(struct client *client, const struct workload *workload) {
  *client = (struct client){.fd = connect_socket(workload->port)};
  if (client->fd < 0) {
    fprintf(stderr, "load: connect to port %d: %s\n", workload->port, strerror(errno));
    return CLIENT_ERROR;
  }
  if (workload->raw || send_request(client->fd, client->accept)) return CLIENT_DONE;
  fprintf(stderr, "load: the upgrade request could not be sent\n");
  return CLIENT_ERROR;
}

enum client_result client_finish(struct client *client) {
  if (is_upgraded(client->fd, client->accept)) return CLIENT_DONE;
  fprintf(stderr, "load: the opening handshake was not answered as RFC 6455 says\n");
  return CLIENT_ERROR;
}

int client_connect(const struct workload *workload) {
  struct client client;
  if (client_begin(&client, workload) == CLIENT_ERROR) return -1;
  if (!workload->raw && client_finish(&client) == CLIENT_ERROR) return -1;
  return client.fd;
}

enum client_result client_open(struct client *client, const struct workload *workload) {
  *client = (struct client){.fd = client_connect(workload)};
  if (client->fd < 0) return CLIENT_ERROR;
  fcntl(client->fd, F_SETFL, fcntl(client->fd, F_GETFL) | O_NONBLOCK);
  const size_t room = workload->in_flight * (workload->payload_bytes + HEADER_BYTES_MAX);
  client->out = malloc(room);
  client->expected = workload->raw ? client->out : malloc(room);
  if (client->out && client->expected) return CLIENT_DONE;
  fprintf(stderr, "load: no memory for %zu bytes in flight\n", room);
  return CLIENT_ERROR;
}

void client_prepare(struct client *client, const struct workload *workload) {
  static uint8_t *scratch; /* the plain payload in raw mode, where nothing plain comes back */
  const size_t payload_bytes = workload->payload_bytes;
  if (workload->raw && !scratch && !(scratch = malloc(payload_bytes + 1))) abort();
  uint8_t *out = client->out, *expected = client->expected;
  for (size_t i = 0; i < workload->in_flight; i++) {
    uint8_t *plain = scratch;
    if (!workload->raw) {
      expected += write_header(expected, payload_bytes, workload->text, false);
      plain = expected;
      expected += payload_bytes;
    }
    if (workload->text) {
      payload_text(plain, payload_bytes);
    } else {
      payload_binary(plain, payload_bytes);
    }
    out += write_header(out, payload_bytes, workload->text, true);
    const uint32_t key = (uint32_t)payload_random();
    memcpy(out, &key, sizeof key);
    mask_copy(out + sizeof key, plain, payload_bytes, out);
    out += sizeof key + payload_bytes;
  }
  client->out_bytes = (size_t)(out - client->out);
  client->out_sent = 0;
  const size_t echoed_bytes = (size_t)(expected - client->expected);
  client->expected_bytes = workload->raw ? client->out_bytes : echoed_bytes;
  client->received = 0;
}

enum client_result client_send(struct client *client) {
  ssize_t count = send(client->fd, client->out + client->out_sent,
                       client->out_bytes - client->out_sent, MSG_NOSIGNAL);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return CLIENT_AGAIN;
    fprintf(stderr, "load: send: %s\n", strerror(errno));
    return CLIENT_ERROR;
  }
  client->out_sent += (size_t)count;
  return client->out_sent == client->out_bytes ? CLIENT_DONE : CLIENT_AGAIN;
}

static void report_difference(const struct client *client, const uint8_t *buffer, size_t count) {
  size_t i = 0;
  while (i < count && buffer[i] == client->expected[client->received + i]) i++;
  fprintf(stderr, "load: wrong echo: byte %zu of %zu is 0x%02x, expected 0x%02x\n",
          client->received + i, client->expected_bytes, buffer[i],
          client->expected[client->received + i]);
}

enum client_result client_receive(struct client *client, uint8_t *buffer, size_t size) {
  ssize_t count = recv(client->fd, buffer, size, 0);
  if (count <= 0) {
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return CLIENT_AGAIN;
    fprintf(stderr, "load: recv: %s\n", count == 0 ? "closed by the server" : strerror(errno));
    return CLIENT_ERROR;
  }
  if ((size_t)count > client->expected_bytes - client->received) {
    fprintf(stderr, "load: wrong echo: %zd bytes where %zu were expected\n", count,
            client->expected_bytes - client->received);
    return CLIENT_ERROR;
  }
  if (memcmp(buffer, client->expected + client->received, (size_t)count) != 0) {
    report_difference(client, buffer, (size_t)count);
    return CLIENT_ERROR;
  }
  client->received += (size_t)count;
  return client->received == client->expected_bytes ? CLIENT_DONE : CLIENT_AGAIN;
}
