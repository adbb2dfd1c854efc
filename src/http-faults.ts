/**
 * The rows of `faults` that are about requests over HTTP, their bodies and their answers. The form
 * of a row, and what the numbers mean, is in errors.ts.
 */
export const httpFaults = {
  REQUEST_TARGET: {
    status: 400,
    source: 'RFC 9112 3.2',
    sentence: 'The request target must be a path, or an http address.',
  },
  REQUEST_CONNECT: {
    status: 501,
    source: 'RFC 9110 9.3.6',
    sentence: 'This server is no proxy: it knows no CONNECT.',
  },
  REQUEST_LENGTH: {
    status: 400,
    source: 'RFC 9112 6.3',
    sentence: 'The length of the body is not told in exactly one valid way.',
  },
  REQUEST_CODING: {
    status: 501,
    source: 'RFC 9112 6.1',
    sentence: 'Of transfer codings this server knows chunked alone.',
  },
  REQUEST_CHUNK: {
    status: 400,
    source: 'RFC 9112 7.1',
    sentence: 'The chunked body is not well-formed.',
  },
  BODY_TOO_BIG: {
    status: 413,
    source: 'maxBodyBytes',
    sentence: 'The body is larger than this server allows.',
  },
  BODY_TIMEOUT: {
    status: 408,
    source: 'bodyTimeoutMs',
    sentence: 'Nothing of the body came for too long.',
  },
  EXPECTATION: {
    status: 417,
    source: 'RFC 9110 10.1.1',
    sentence: 'Of expectations this server knows 100-continue alone.',
  },
  HTTP_UNANSWERED: {
    status: 503,
    source: 'answerTimeoutMs',
    sentence: 'The server did not answer in time.',
  },
  REQUEST_NO_ROOM: {
    status: 503,
    source: 'maxContextBufferedBytes',
    sentence: 'Too much data is held here for all peers together.',
  },
  ANSWER_CUT_SHORT: {
    closeCode: 1006,
    source: 'RFC 9112 8',
    sentence: 'The answer could not be completed.',
  },
  ANSWERED: {
    closeCode: 1000,
    source: 'httpRespond()',
    sentence: 'The request was answered.',
  },
  KEEP_ALIVE_TIMEOUT: {
    closeCode: 1000,
    source: 'keepAliveTimeoutMs',
    sentence: 'No further request came.',
  },
  UPGRADED: {
    closeCode: 1000,
    source: 'RFC 9110 7.8',
    sentence: 'The connection goes on as a WebSocket of another protocol.',
  },

  // What serveHttpFile() answers where it sends no file
  FILE_TARGET: {
    status: 400,
    source: 'RFC 9110 15.5.1',
    sentence: 'The path names no file: send it clean, without dots and escaped slashes.',
  },
  FILE_METHOD: {
    status: 405,
    source: 'RFC 9110 15.5.6',
    sentence: 'Files are read with GET or HEAD.',
  },
  FILE_ABSENT: {
    status: 404,
    source: 'RFC 9110 15.5.5',
    sentence: 'There is no such file.',
  },
  FILE_MOVED: {
    status: 301,
    source: 'RFC 9110 15.4.2',
    sentence: 'The address of a folder ends with a slash.',
  },
  FILE_FORBIDDEN: {
    status: 403,
    source: 'RFC 9110 15.5.4',
    sentence: 'This file is not served.',
  },
  FILE_UNREADABLE: {
    status: 500,
    source: 'SocketIo',
    sentence: 'The file could not be read.',
  },
  FILE_SHORTAGE: {
    status: 503,
    source: 'SocketIo',
    sentence: 'The server has too many files open; ask again.',
  },
  FILE_CHANGED: {
    status: 412,
    source: 'RFC 9110 13.1',
    sentence: 'The file is not in the state that the request asks for.',
  },
  FILE_RANGE: {
    status: 416,
    source: 'RFC 9110 14.4',
    sentence: 'The file has none of the bytes asked for.',
  },
} as const
