/** Callbacks of the application, for the story. Observes, and changes nothing. */
import { Reason, reasonName } from '../../../src/index.js'
import type { CloseInfo, Tap } from '../../../src/index.js'
import type { Story } from './story.js'

const names = Object.values(Reason).map((reason) => reasonName(reason))

export function storyTap(host: string, story: Story): Tap {
  return {
    enter: () => undefined,
    leave: () => undefined,
    callback(reason, fd, data) {
      if (reason === Reason.CLOSED || reason === Reason.HTTP_CLOSED) {
        const { code, cause } = data as CloseInfo
        story.add(host, `${names[reason] ?? ''} of fd ${fd}:`, `${code} ${cause}`)
      } else if (reason < Reason.ADD_POLL_FD || reason > Reason.CLEAR_MODE_POLL_FD) {
        story.add(host, names[reason] ?? '', fd)
      }
    },
    returned: () => undefined,
  }
}
