/** What V8 is told about its heap, in a process that serves and does nothing else. */
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps V8's young generation at the size it begins with, 1 MiB to each half, and to one thread.
 *
 * It doubles, up to 16 MiB to each half, as more and more objects survive: for a server those are
 * its connections. In a loop that blocks nothing ever shrinks it again, since the tasks that would
 * wait for Node's own loop. So each idle connection of many costs a kilobyte that holds nothing.
 * And a mebibyte is collected in less time than it takes to wake threads that would help.
 * Messages, for which next to nothing is allocated, are as fast as before (`make bench`); a new
 * connection costs about 1 us more, since it is moved twice before it may stay where it is.
 *
 * For a program of one's own `node --max-semi-space-size=1` keeps the size, but it must be said
 * before V8 starts. What is set here V8 asks for at each growth and each collection.
 * Source: Node's "Useful V8 options"; NewSpace::Grow, NumberOfScavengeTasks of V8, Node 20 to 26.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--no-parallel-scavenge')
}

/**
 * The same, and V8 collects its old generation sooner: for who is given connections by Node's http.
 *
 * Of each upgrade Node leaves some kilobytes in the old generation, between the connections that
 * stay, and V8 lets them lie until its heap has grown by half: 2.4 KB of memory for a connection
 * that holds 0.6 KB. With this, 0.6 KB are all. For a program of one's own:
 * `node --optimize-for-size`. Source: measured, Node 20, 8,000 connections.
 */
export function keepHeapSmall(): void {
  keepYoungGenerationSmall()
  setFlagsFromString('--optimize-for-size')
}
