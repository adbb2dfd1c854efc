/* Node's http with a stream of the file piped into each answer, as its documentation shows it. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'

const root = process.argv[2]
const server = createServer(async (request, response) => {
  const path = join(root, request.url)
  const { size, mtime } = await stat(path)
  response.setHeader('Content-Length', size)
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Last-Modified', mtime.toUTCString())
  createReadStream(path).pipe(response)
})
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
