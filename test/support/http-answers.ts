/**
 * Answers of HTTP taken apart, strictly: what a client would see. Shares no code with the library.
 * Source: RFC 9112 4, 6 and 7.
 */
import assert from 'node:assert/strict'

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

/**
 * Everything a server sent, as answers. Interim ones (100) stand in the list as any other.
 * @param methods of the requests, in order: an answer to HEAD has no body
 * @param ended the server ended its direction, so that this may be the end of a body
 * @throws AssertionError for what is no whole answer
 */
export function parseAnswers(
  bytes: Buffer,
  methods: readonly string[] = [],
  ended = false,
): Answer[] {
  const text = bytes.toString('latin1')
  const answers: Answer[] = []
  let at = 0
  let finals = 0
  while (at < text.length) {
    const headEnd = text.indexOf('\r\n\r\n', at)
    assert.ok(headEnd >= 0, `a head without an end: ${JSON.stringify(text.slice(at, at + 200))}`)
    const [statusLine = '', ...lines] = text.slice(at, headEnd).split('\r\n')
    const match = /^HTTP\/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*$/.exec(statusLine)
    assert.ok(match !== null, `no status line: ${JSON.stringify(statusLine)}`)
    const status = Number(match[1])
    const headers = fieldsOf(lines)
    at = headEnd + 4
    const bodyless = status < 200 || status === 204 || status === 304 || methods[finals] === 'HEAD'
    if (status >= 200) finals++
    const { body, end } = bodyless ? { body: '', end: at } : bodyOf(text, at, headers, ended)
    at = end
    answers.push({ status, headers, body: Buffer.from(body, 'latin1').toString('utf8') })
  }
  return answers
}

function fieldsOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of lines) {
    const match = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
    assert.ok(match !== null, `no field: ${JSON.stringify(line)}`)
    const name = match[1]!.toLowerCase()
    assert.ok(!fields.has(name) || name === 'set-cookie', `${name} twice`)
    fields.set(name, match[2]!)
  }
  return fields
}

function bodyOf(
  text: string,
  start: number,
  headers: ReadonlyMap<string, string>,
  ended: boolean,
): { body: string; end: number } {
  const length = headers.get('content-length')
  const coding = headers.get('transfer-encoding')
  assert.ok(length === undefined || coding === undefined, 'a length and a coding')
  if (coding !== undefined) {
    assert.equal(coding, 'chunked')
    return chunksOf(text, start)
  }
  if (length !== undefined) {
    const end = start + Number(length)
    assert.ok(end <= text.length, `a body of ${length} bytes, ${text.length - start} are there`)
    return { body: text.slice(start, end), end }
  }
  assert.ok(ended && headers.get('connection') === 'close', 'a body without an end')
  return { body: text.slice(start), end: text.length }
}

function chunksOf(text: string, start: number): { body: string; end: number } {
  let body = ''
  for (let at = start; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = text.slice(at, lineEnd)
    assert.match(size, /^(?:0|[1-9a-f][0-9a-f]*)$/, 'a chunk size')
    const bytes = Number.parseInt(size, 16)
    const chunkEnd = lineEnd + 2 + bytes
    assert.equal(text.slice(chunkEnd, chunkEnd + 2), '\r\n', 'the end of a chunk')
    body += text.slice(lineEnd + 2, chunkEnd)
    at = chunkEnd + 2
    if (bytes === 0) return { body, end: at }
  }
}
