/** A certificate for 127.0.0.1, made on the spot by openssl and thrown away. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

let made: { key: Buffer; cert: Buffer } | undefined

/** The same one for the whole run. @throws where there is no openssl */
export function certificate(): { key: Buffer; cert: Buffer } {
  if (made !== undefined) return made
  const folder = mkdtempSync(join(tmpdir(), 'extpoll-tls-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
    const files = ['-keyout', key, '-out', cert]
    const all = ['req', '-x509', '-nodes', '-days', '2', ...curve, ...subject, ...files]
    execFileSync('openssl', all, { stdio: 'ignore' })
    made = { key: readFileSync(key), cert: readFileSync(cert) }
    return made
  } finally {
    rmSync(folder, { recursive: true })
  }
}
