/** One of the threads of `extpoll echo --workers N`. */
import { configure } from './echo.js'
import { serveSeat } from './workers.js'

await serveSeat(configure)
