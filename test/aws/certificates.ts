import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface Certificates {
  /** The file of the authority, which clients have to trust. */
  readonly authority: string
  /** The files of the server at 127.0.0.1. */
  readonly certificate: string
  readonly key: string
}

const extensions = 'subjectAltName=IP:127.0.0.1,DNS:localhost\nbasicConstraints=CA:FALSE\n'

/**
 * An authority and a certificate of it for 127.0.0.1, good for a day. Node refuses a certificate that is its own
 * authority.
 */
export async function makeCertificates(directory: string): Promise<Certificates> {
  const file = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => promisify(execFile)('openssl', args)
  const key = (name: string) => [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    file(name),
  ]
  const subject = (name: string) => ['-subj', `/CN=${name}`]
  await writeFile(file('extensions'), extensions)
  await openssl('req', '-x509', ...key('ca.key'), '-out', file('ca.pem'), '-days', '1', ...subject('test authority'))
  await openssl('req', ...key('leaf.key'), '-out', file('leaf.csr'), ...subject('127.0.0.1'))
  const signer = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
  const leaf = ['-in', file('leaf.csr'), '-out', file('leaf.pem'), '-days', '1', '-extfile', file('extensions')]
  await openssl('x509', '-req', ...leaf, ...signer)
  return { authority: file('ca.pem'), certificate: file('leaf.pem'), key: file('leaf.key') }
}
