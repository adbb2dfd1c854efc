/*
 * Fresh random payloads, fast enough not to slow the load down: see payload.c.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

void payload_seed(void);
uint64_t payload_random(void);
void payload_binary(uint8_t *to, size_t count);
/* Valid UTF-8 with characters of one to four bytes, at any alignment. */
void payload_text(uint8_t *to, size_t count);

#endif
