/** Opcodes and first-byte bits of a frame. Source: RFC 6455 5.2. */
export const OPCODE_CONTINUATION = 0x0
export const OPCODE_TEXT = 0x1
export const OPCODE_BINARY = 0x2
export const OPCODE_CLOSE = 0x8
export const OPCODE_PING = 0x9
export const OPCODE_PONG = 0xa

/** Set in the first byte of a message's last frame. */
export const FIN_BIT = 0x80
/** The three reserved bits; all 0 unless an extension gave them a meaning. */
export const RESERVED_BITS = 0x70
/** Opcodes from 8 up are control frames: never fragmented, at most 125 bytes (5.5). */
export const CONTROL_BIT = 0x08
export const MAX_CONTROL_PAYLOAD_BYTES = 125
/** Two bytes, eight of extended length, four of masking key. */
export const MAX_FRAME_HEADER_BYTES = 14
