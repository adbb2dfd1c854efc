/*
 * Masking of a payload while it is copied: the bench's C client and C server share it, so that
 * neither is slower than a good program would be. Source: RFC 6455 section 5.3.
 * Source and target may be the same memory, but must not overlap otherwise.
 */
#ifndef BENCH_MASKING_H
#define BENCH_MASKING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 32 bytes: the compiler makes two SSE2 or one AVX2 operation of it. */
typedef uint32_t mask_block __attribute__((vector_size(32)));

static inline void mask_copy(uint8_t *to, const uint8_t *from, size_t count, const uint8_t key[4]) {
  uint32_t word;
  memcpy(&word, key, sizeof word);
  const uint64_t pair = (uint64_t)word << 32 | word;
  const mask_block wide = {word, word, word, word, word, word, word, word};
  size_t i = 0;
  for (; i + sizeof wide <= count; i += sizeof wide) {
    mask_block block;
    memcpy(&block, from + i, sizeof block);
    block ^= wide;
    memcpy(to + i, &block, sizeof block);
  }
  for (; i + sizeof pair <= count; i += sizeof pair) {
    uint64_t block;
    memcpy(&block, from + i, sizeof block);
    block ^= pair;
    memcpy(to + i, &block, sizeof block);
  }
  for (; i < count; i++) to[i] = from[i] ^ key[i & 3];
}

#endif
