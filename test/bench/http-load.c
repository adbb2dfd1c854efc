/*
 * The load on servers of files: kept connections, each with one GET in flight, every byte of every
 * answer compared with the file. Knows HTTP/1.1 with Content-Length and nothing else.
 *
 *   http-load --port N --server-pid N --connections N --path /name --file F --seconds S --warmup S
 *             [--cpu N]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "phase.h"

enum { HEAD_MAX = 4096, CONNECT_TRIES = 500, CONNECT_WAIT_US = 10000 };

/* One connection and the answer it is receiving. */
struct asker {
  int fd;
  size_t head_bytes; /* of the head so far; the body has begun where it is whole */
  size_t body_bytes; /* of the body so far */
  bool in_body;
  char head[HEAD_MAX];
};

static struct {
  int port, server_pid, cpu;
  size_t connections;
  const char *path, *file;
  double seconds, warmup;
} settings = {.cpu = -1};

static char request[512];
static size_t request_bytes;
static unsigned char *content;
static size_t content_bytes;
static unsigned char received[RECEIVE_BYTES];

static void read_settings(int count, char **values) {
  static const struct option options[] = {
      {"port", 1, 0, 'p'},       {"server-pid", 1, 0, 's'}, {"connections", 1, 0, 'c'},
      {"path", 1, 0, 'a'},       {"file", 1, 0, 'f'},       {"seconds", 1, 0, 't'},
      {"warmup", 1, 0, 'w'},     {"cpu", 1, 0, 'u'},        {0, 0, 0, 0}};
  for (int option; (option = getopt_long(count, values, "", options, NULL)) != -1;) {
    switch (option) {
      case 'p': settings.port = atoi(optarg); break;
      case 's': settings.server_pid = atoi(optarg); break;
      case 'c': settings.connections = strtoul(optarg, NULL, 10); break;
      case 'a': settings.path = optarg; break;
      case 'f': settings.file = optarg; break;
      case 't': settings.seconds = atof(optarg); break;
      case 'w': settings.warmup = atof(optarg); break;
      case 'u': settings.cpu = atoi(optarg); break;
      default: fail("no such option");
    }
  }
  if (!settings.path || !settings.file || settings.connections == 0) fail("too few options");
}

static void read_file(void) {
  struct stat about;
  FILE *file = fopen(settings.file, "rb");
  if (!file || fstat(fileno(file), &about) != 0) fail("cannot read the file");
  content_bytes = (size_t)about.st_size;
  content = malloc(content_bytes);
  if (!content || fread(content, 1, content_bytes, file) != content_bytes) fail("cannot read it");
  fclose(file);
}

/* A server that was started a moment ago may not listen yet. */
static int open_connection(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(settings.port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int tries = 0; tries < CONNECT_TRIES; tries++) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("no socket");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
    close(fd);
    usleep(CONNECT_WAIT_US);
  }
  fail("nobody listens");
}

static void ask(struct asker *asker) {
  asker->head_bytes = asker->body_bytes = 0;
  asker->in_body = false;
  if (send(asker->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes)
    fail("a request was not taken whole");
}

static void check_head(char *head) {
  if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) fail("the answer is not 200");
  const char *length = strcasestr(head, "\r\ncontent-length:");
  if (!length || strtoul(length + 17, NULL, 10) != content_bytes) fail("not the file's length");
}

/* Takes what came of the head. Answers how many of the bytes were of it. */
static size_t take_head(struct asker *asker, const unsigned char *bytes, size_t count) {
  const size_t before = asker->head_bytes;
  const size_t room = HEAD_MAX - 1 - before;
  memcpy(asker->head + before, bytes, count < room ? count : room);
  asker->head_bytes += count < room ? count : room;
  asker->head[asker->head_bytes] = 0;
  char *end = strstr(asker->head, "\r\n\r\n");
  if (!end && asker->head_bytes == HEAD_MAX - 1) fail("the head is too long");
  if (!end) return count;
  end[2] = 0;
  check_head(asker->head);
  asker->in_body = true;
  return (size_t)(end + 4 - asker->head) - before;
}

/* Answers whether the answer is whole. */
static bool take(struct asker *asker) {
  const ssize_t count = recv(asker->fd, received, sizeof received, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) fail("the server ended a connection");
  size_t at = asker->in_body ? 0 : take_head(asker, received, (size_t)count);
  if (!asker->in_body) return false;
  const size_t rest = (size_t)count - at;
  if (rest > content_bytes - asker->body_bytes) fail("more came than was told");
  if (memcmp(received + at, content + asker->body_bytes, rest) != 0) fail("not the file's bytes");
  asker->body_bytes += rest;
  return asker->body_bytes == content_bytes;
}

/* Begins and ends with nothing in flight. */
static struct phase run(struct asker *askers, int epoll_fd, double seconds) {
  struct phase phase = {0};
  const uint64_t begun = now_ns(CLOCK_MONOTONIC);
  const uint64_t cpu = server_cpu_ns(settings.server_pid);
  const uint64_t end = begun + (uint64_t)(seconds * 1e9);
  size_t in_flight = settings.connections;
  for (size_t i = 0; i < settings.connections; i++) ask(&askers[i]);
  while (in_flight > 0) {
    struct epoll_event events[EVENTS_MAX];
    const int ready = epoll_wait(epoll_fd, events, EVENTS_MAX, SILENCE_MAX_MS);
    if (ready <= 0) fail("the server is silent");
    const bool goes_on = now_ns(CLOCK_MONOTONIC) < end;
    for (int i = 0; i < ready; i++) {
      struct asker *asker = events[i].data.ptr;
      if (!take(asker)) continue;
      phase.messages++;
      if (goes_on) ask(asker);
      else in_flight--;
    }
  }
  phase.elapsed_ns = now_ns(CLOCK_MONOTONIC) - begun;
  phase.server_cpu_ns = server_cpu_ns(settings.server_pid) - cpu;
  return phase;
}

static void say(const char *line) {
  puts(line);
  fflush(stdout);
}

int main(int count, char **values) {
  read_settings(count, values);
  read_file();
  if (settings.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(settings.cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) fail("no such core to run on");
  }
  request_bytes = (size_t)snprintf(request, sizeof request,
                                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", settings.path);
  struct asker *askers = calloc(settings.connections, sizeof *askers);
  const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (!askers || epoll_fd < 0) fail("no memory");
  for (size_t i = 0; i < settings.connections; i++) {
    askers[i].fd = open_connection();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &askers[i]};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, askers[i].fd, &event) != 0) fail("epoll_ctl");
  }
  run(askers, epoll_fd, settings.warmup);
  say("warm");
  const struct phase measured = run(askers, epoll_fd, settings.seconds);
  say("measured");
  printf("{\"messages\":%llu,\"elapsedNs\":%llu,\"serverCpuNs\":%llu}\n",
         (unsigned long long)measured.messages, (unsigned long long)measured.elapsed_ns,
         (unsigned long long)measured.server_cpu_ns);
  return 0;
}
