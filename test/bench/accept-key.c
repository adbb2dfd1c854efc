/*
 * The accept value of an opening handshake: SHA-1 of key and GUID, in base64.
 * Knows nothing of sockets or of HTTP. One handshake per connection, so written to be read.
 */
#include "accept-key.h"

#include <string.h>

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
enum { GUID_CHARS = 36, BLOCK_BYTES = 64, DIGEST_BYTES = 20 };

static uint32_t rotate_left(uint32_t word, int bits) {
  return word << bits | word >> (32 - bits);
}

static void sha1_block(uint32_t hash[5], const uint8_t block[BLOCK_BYTES]) {
  uint32_t w[80];
  for (int i = 0; i < 16; i++) {
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
           (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  }
  for (int i = 16; i < 80; i++) {
    w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  }
  uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
  for (int i = 0; i < 80; i++) {
    uint32_t f, k;
    if (i < 20) {
      f = (b & c) | (~b & d);
      k = 0x5a827999;
    } else if (i < 40) {
      f = b ^ c ^ d;
      k = 0x6ed9eba1;
    } else if (i < 60) {
      f = (b & c) | (b & d) | (c & d);
      k = 0x8f1bbcdc;
    } else {
      f = b ^ c ^ d;
      k = 0xca62c1d6;
    }
    uint32_t next = rotate_left(a, 5) + f + e + k + w[i];
    e = d;
    d = c;
    c = rotate_left(b, 30);
    b = a;
    a = next;
  }
  hash[0] += a;
  hash[1] += b;
  hash[2] += c;
  hash[3] += d;
  hash[4] += e;
}

void base64_encode(const uint8_t *bytes, size_t count, char *text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < count; i += 3) {
    size_t left = count - i;
    uint32_t group = (uint32_t)bytes[i] << 16;
    if (left > 1) group |= (uint32_t)bytes[i + 1] << 8;
    if (left > 2) group |= bytes[i + 2];
    *text++ = digits[group >> 18];
    *text++ = digits[group >> 12 & 63];
    *text++ = left > 1 ? digits[group >> 6 & 63] : '=';
    *text++ = left > 2 ? digits[group & 63] : '=';
  }
  *text = '\0';
}

void accept_key(const char key[KEY_CHARS], char accept[ACCEPT_CHARS + 1]) {
  /* Key and GUID are 60 bytes: with the padding exactly two blocks, the length in the second. */
  uint8_t blocks[2 * BLOCK_BYTES] = {0};
  memcpy(blocks, key, KEY_CHARS);
  memcpy(blocks + KEY_CHARS, GUID, GUID_CHARS);
  blocks[KEY_CHARS + GUID_CHARS] = 0x80;
  const uint32_t length_bits = 8 * (KEY_CHARS + GUID_CHARS);
  blocks[2 * BLOCK_BYTES - 2] = (uint8_t)(length_bits >> 8);
  blocks[2 * BLOCK_BYTES - 1] = (uint8_t)length_bits;

  uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  sha1_block(hash, blocks);
  sha1_block(hash, blocks + BLOCK_BYTES);

  uint8_t digest[DIGEST_BYTES];
  for (int i = 0; i < DIGEST_BYTES; i++) digest[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
  base64_encode(digest, DIGEST_BYTES, accept);
}
