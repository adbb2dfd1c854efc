/** What the library and the program announced, newest first, as many as one can read. */
import { byId, element, onNextFrame, setText } from './element.js'
import { feed } from './feed.js'

const MAX_LINES = 120

const list = byId('changes')
/** Not drawn yet, newest last. */
let waiting = []
let counts = {}

feed.onNews((news) => {
  if (news.missed > 0) waiting.push({ missed: news.missed })
  waiting.push(...news.changes)
  waiting = waiting.slice(-MAX_LINES)
  counts = news.counts
  draw()
})

const draw = onNextFrame(() => {
  const lines = waiting.map(lineOf)
  waiting = []
  list.prepend(...lines.reverse())
  while (list.children.length > MAX_LINES) list.lastElementChild.remove()
  const told = Object.entries(counts).map(([op, count]) => `${count.toLocaleString('en')} ${op}`)
  setText(byId('counts'), told.join(', '))
})

function lineOf({ missed, op, fd, gen, bits, what }) {
  if (missed !== undefined) return element('li', 'missed', `${missed} earlier ones`)
  const name = op === 'SET' || op === 'CLEAR' ? `${op}_MODE` : `${op}_POLL_FD`
  return element(
    'li',
    'fresh',
    element('b', op, gen === null ? op : name),
    ' ',
    element('span', 'fd', gen === null ? `fd ${fd}` : `fd ${fd} gen ${gen}`),
    ' ',
    element('span', 'what', element('span', 'mask', bits), ` ${what}`),
  )
}
