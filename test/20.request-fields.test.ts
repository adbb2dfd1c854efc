/**
 * A request's header fields as a callback is given them: a map that is asked in any case, and that
 * cuts out of the head what it is asked for.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { UpgradeRequest } from '../src/index.js'
import { scene } from './support/scene.js'
import { validRequest } from './support/wire-bytes.js'

/** What a filter is given of a request that has these lines as well. */
function fieldsOf(...lines: readonly string[]): UpgradeRequest {
  let given: UpgradeRequest | undefined
  const { h } = scene({
    context: { maxHeaderCount: 200 },
    handlers: { FILTER_PROTOCOL_CONNECTION: (_wsi, request) => void (given = request) },
  })
  const peer = h.connect()
  peer.send(Buffer.from(validRequest().replace(/\r\n$/, `${lines.join('\r\n')}\r\n\r\n`)))
  h.run()
  assert.ok(given, 'it came to the filter')
  return given
}

describe('20 request fields', () => {
  it('are asked for in any case, and repeated ones are joined', () => {
    const { headers, repeated } = fieldsOf('X-A:  b \t', 'Cookie: a=1', 'x-a: c', 'X-Empty: \t ')
    const asked = ['cookie', 'Cookie', 'COOKIE', 'x-a', 'X-Empty', 'x-b', 'x-a ', 'ookie', '']
    assert.deepEqual(
      asked.map((name) => headers.get(name)),
      ['a=1', 'a=1', 'a=1', 'b, c', '', undefined, undefined, undefined, undefined],
    )
    assert.deepEqual([headers.has('HOST'), headers.has('hos')], [true, false])
    assert.deepEqual([...repeated], ['x-a'])
  })

  it('no sign is taken for another whose code differs as the cases of a letter do', () => {
    const { headers, repeated } = fieldsOf('X^: hat', 'X~: tilde')
    assert.deepEqual([headers.get('x^'), headers.get('x~')], ['hat', 'tilde'])
    assert.equal(repeated.size, 0)
  })

  it('what is no name is not there', () => {
    const { headers } = fieldsOf()
    for (const odd of [undefined, null, 5, {}, ['host']] as unknown as string[])
      assert.deepEqual([headers.get(odd), headers.has(odd)], [undefined, false], inspect(odd))
  })

  it('are listed in lower case, in order, as a Map lists them', () => {
    const { headers } = fieldsOf('X-A: b', 'Cookie: a=1', 'x-a: c')
    const map = new Map(headers)
    assert.deepEqual([...map].slice(-2), [
      ['x-a', 'b, c'],
      ['cookie', 'a=1'],
    ])
    assert.equal(headers.size, map.size)
    assert.deepEqual([...headers.keys()], [...map.keys()])
    assert.deepEqual([...headers.values()], [...map.values()])
    assert.deepEqual([...headers.entries()], [...map])
    const told: unknown[] = []
    const self = {}
    headers.forEach(function (this: unknown, value, name, all) {
      told.push([this === self, name, value, all === headers])
    }, self)
    assert.deepEqual(
      told,
      [...map].map(([name, value]) => [true, name, value, true]),
    )
    assert.equal(inspect(headers), inspect(map), 'what console.log shows')
  })

  it('where they are many, the repeated are found as well', () => {
    const lines = Array.from({ length: 150 }, (_, index) => `X-${index % 140}: ${index}`)
    const { headers, repeated } = fieldsOf(...lines)
    assert.deepEqual(
      [...repeated],
      Array.from({ length: 10 }, (_, index) => `x-${index}`),
    )
    assert.equal(headers.get('X-9'), '9, 149')
    assert.equal(new Map(headers).get('x-9'), '9, 149')
  })
})
