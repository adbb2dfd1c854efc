/**
 * The table of the checker's rules: the library's, then the host's.
 *
 * C20 in part, C23 to C26, C28 and C30 are not here: nothing that crosses the seams shows them;
 * tests of the source and of the results do.
 */
import { hostRules } from './checker-rules-host.js'
import { pollSetRules } from './checker-rules-poll-set.js'
import { serviceRules } from './checker-rules-service.js'
import { timeRules } from './checker-rules-time.js'
import type { Rule } from './checker-rule.js'

// The host's first: what looks like a fault of the library may be an answer to one of the host's.
export const rules: readonly Rule[] = [...hostRules, ...pollSetRules, ...serviceRules, ...timeRules]
