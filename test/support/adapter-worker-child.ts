/**
 * The adapter suite's application in a thread of its own, which blocks in `service`. For each plan
 * it is sent it tells its port, serves until a peer orders the destroy, goes on with its loop
 * without the context, and reports.
 */
import { parentPort } from 'node:worker_threads'
import { getListenAddress } from '../../src/index.js'
import { App, type Plan } from './adapter-app.js'
import { ServiceLoop } from './adapter-loops.js'

parentPort!.on('message', (plan: Plan) => {
  const loop = new ServiceLoop()
  const app = new App(loop, plan)
  parentPort!.postMessage(getListenAddress(app.ctx)!.port)
  while (!app.ranOn) loop.turn(app.ctx)
  parentPort!.postMessage(app.report())
  loop.close()
})
