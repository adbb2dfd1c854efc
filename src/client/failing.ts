/** A client connection that will not open: one place where its cause is set. */
import { type FaultName } from '../errors.js'
import { type Connection, type Core } from '../connection/connection.js'
import { armDeadline } from '../connection/deadline.js'
import { type Dial } from '../connection/dial.js'
import { releaseDial } from '../connection/dial-end.js'
import { endNow } from '../connection/drop.js'
import { type CloseInfo } from '../protocol/protocol-types.js'

/**
 * Ends it; CLIENT_CONNECTION_ERROR comes when the outermost call unwinds, but never before
 * clientConnect gave its caller the handle.
 * @param detail what was expected, for people
 */
export function failDial(
  core: Core,
  connection: Connection,
  dial: Dial,
  cause: FaultName,
  detail = '',
  initiator: CloseInfo['initiator'] = 'library',
): void {
  if (!dial.returned) {
    dial.early ??= { cause, detail }
    dial.stepMs = core.now()
    armDeadline(core, connection)
    return
  }
  connection.closing ??= { code: 1006, reason: '', initiator, cause }
  dial.detail = detail
  releaseDial(core, dial)
  endNow(core, connection)
}
