/** Socket addresses, compared and told apart by their text. Asks nobody. */
import type { SocketAddress } from '../../src/index.js'

/** Where nothing is known. */
export const NOWHERE: SocketAddress = { name: '', address: '', port: 0, family: '' }

export function familyOf(address: string): 'IPv4' | 'IPv6' {
  return address.includes(':') ? 'IPv6' : 'IPv4'
}
