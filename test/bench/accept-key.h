/*
 * Sec-WebSocket-Accept from Sec-WebSocket-Key, for the bench's own client and server.
 * Source: RFC 6455 section 4.2.2; SHA-1 from RFC 3174, base64 from RFC 4648.
 */
#ifndef BENCH_ACCEPT_KEY_H
#define BENCH_ACCEPT_KEY_H

#include <stddef.h>
#include <stdint.h>

/* The key is 24 characters of base64, the accept value 28; neither counts its final NUL. */
enum { KEY_CHARS = 24, ACCEPT_CHARS = 28 };

void base64_encode(const uint8_t *bytes, size_t count, char *text);
void accept_key(const char key[KEY_CHARS], char accept[ACCEPT_CHARS + 1]);

#endif
