/*
 * Where the load's payloads and masking keys come from. A generator of statistical quality only
 * (xorshift128+, Vigna 2014), four lanes wide and seeded by the kernel: a server must not be able
 * to profit from repetition, and the load must not be the slower side. Knows nothing of frames.
 */
#include "payload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef uint64_t lanes __attribute__((vector_size(32)));
enum { CHUNK_BYTES = 8, CHUNK_BITS = 10, CHUNKS = 1 << CHUNK_BITS, CHUNKS_PER_RANDOM = 6 };

static lanes state_a, state_b;
static uint64_t spare[4];
static int spare_left;

/* Text is put together from these: each is eight bytes of whole characters. */
static uint8_t chunks[CHUNKS][CHUNK_BYTES];

static inline void next_lanes(lanes *fresh) {
  lanes a = state_a, b = state_b;
  state_a = b;
  a ^= a << 23;
  state_b = a ^ b ^ (a >> 18) ^ (b >> 5);
  *fresh = state_b + b;
}

uint64_t payload_random(void) {
  if (spare_left == 0) {
    lanes fresh;
    next_lanes(&fresh);
    memcpy(spare, &fresh, sizeof spare);
    spare_left = 4;
  }
  return spare[--spare_left];
}

static size_t encode_character(uint8_t *to, size_t bytes) {
  uint32_t r = (uint32_t)payload_random();
  uint32_t point;
  switch (bytes) {
    case 1:
      to[0] = (uint8_t)(0x20 + r % 0x5f);
      return 1;
    case 2:
      point = 0x80 + r % 0x780;
      to[0] = (uint8_t)(0xc0 | point >> 6);
      break;
    case 3:
      point = 0x800 + r % 0xf000;
      if (point >= 0xd800) point += 0x800; /* not a surrogate */
      to[0] = (uint8_t)(0xe0 | point >> 12);
      break;
    default:
      point = 0x10000 + r % 0x100000;
      to[0] = (uint8_t)(0xf0 | point >> 18);
      break;
  }
  for (size_t i = 1; i < bytes; i++) to[i] = (uint8_t)(0x80 | (point >> 6 * (bytes - 1 - i) & 63));
  return bytes;
}

void payload_seed(void) {
  if (getrandom(&state_a, sizeof state_a, 0) < 0 || getrandom(&state_b, sizeof state_b, 0) < 0) {
    abort();
  }
  for (int i = 0; i < CHUNKS; i++) {
    for (size_t filled = 0; filled < CHUNK_BYTES;) {
      size_t bytes = 1 + payload_random() % 4;
      if (bytes > CHUNK_BYTES - filled) bytes = CHUNK_BYTES - filled;
      filled += encode_character(chunks[i] + filled, bytes);
    }
  }
}

void payload_binary(uint8_t *to, size_t count) {
  size_t i = 0;
  for (; i + sizeof(lanes) <= count; i += sizeof(lanes)) {
    lanes fresh;
    next_lanes(&fresh);
    memcpy(to + i, &fresh, sizeof fresh);
  }
  if (i < count) {
    lanes fresh;
    next_lanes(&fresh);
    memcpy(to + i, &fresh, count - i);
  }
}

/* Plain ASCII at both ends moves the chunks off their alignment. */
static void fill_ascii(uint8_t *to, size_t count) {
  uint64_t r = payload_random();
  for (size_t i = 0; i < count; i++) to[i] = (uint8_t)('A' + (r >> (5 * i) & 31));
}

void payload_text(uint8_t *to, size_t count) {
  uint64_t r = payload_random();
  size_t i = r & 7;
  if (i > count) i = count;
  fill_ascii(to, i);
  int left = 0;
  for (; i + CHUNK_BYTES <= count; i += CHUNK_BYTES) {
    if (left-- == 0) {
      r = payload_random();
      left = CHUNKS_PER_RANDOM - 1;
    }
    memcpy(to + i, chunks[r & (CHUNKS - 1)], CHUNK_BYTES);
    r >>= CHUNK_BITS;
  }
  fill_ascii(to + i, count - i);
}
