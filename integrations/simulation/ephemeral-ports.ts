/** Ports that a kernel gives out by itself, in turn. Source: ip(7), ip_local_port_range. */
const FIRST_PORT = 32_768
const LAST_PORT = 60_999

export class EphemeralPorts {
  private upcoming = FIRST_PORT

  next(): number {
    const port = this.upcoming
    this.upcoming = port === LAST_PORT ? FIRST_PORT : port + 1
    return port
  }
}
