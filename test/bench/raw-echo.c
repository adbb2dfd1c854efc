/*
 * A raw TCP echo: recv, send, nothing between. The floor under every figure of the bench, and what
 * the bare WebSocket echo is itself compared with. Knows nothing of WebSocket; trusts its client to
 * read what comes back, so that a send may block.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, RECEIVE_BYTES = 256 << 10 };

static uint8_t buffer[RECEIVE_BYTES];

static int listen_loopback(void) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
    perror("raw-echo");
    return -1;
  }
  printf("listening on tcp://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_one(int epoll_fd, int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  const int on = 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  if (fd < 0) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) close(fd);
}

static void echo(int fd) {
  ssize_t count = recv(fd, buffer, RECEIVE_BYTES, MSG_DONTWAIT);
  if (count > 0 && send(fd, buffer, (size_t)count, MSG_NOSIGNAL) == count) return;
  close(fd);
}

int main(void) {
  static struct epoll_event events[EVENTS_MAX];
  int listener = listen_loopback();
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  if (listener < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) return 1;
  for (;;) {
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.fd == listener) accept_one(epoll_fd, listener);
      else echo(events[i].data.fd);
    }
  }
}
