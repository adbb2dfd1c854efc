/** Puts the page together: each part finds its elements, and takes what it needs of the feed. */
import './chat.js'
import './poll-set.js'
import './announcements.js'
import './plots.js'
import './pressure.js'
import './visitors.js'
