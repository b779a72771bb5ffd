/**
 * Certificates as every process of Offstage takes them: PEM files, checked whenever they are read. A pair of which one half has
 * been replaced so far does not fit, so what was read before stays in use until the other half is there (see Certificates).
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TlsMaterial, TlsSource } from './certificates.ts'
import { isPastedContent } from './pasted-content.ts'

/** Paths of PEM files. */
export interface CertificateFiles {
  /** Whom to trust; `system` stands for the roots that come with Node, which are the default. */
  readonly ca?: string
  /** The own certificate, with its chain if there is one. */
  readonly cert?: string
  /** Its private key, without a passphrase. */
  readonly key?: string
}

/** How often files are read again where nothing else is said. */
export const CERTIFICATES_EVERY_MS = 10_000

/** A file is missing, is not what it should be, or does not fit the others. The message fits behind the name of a setting. */
export class CertificateFileError extends Error {
  override readonly name = 'CertificateFileError'
  readonly file: keyof CertificateFiles

  constructor(file: keyof CertificateFiles, problem: string, options?: ErrorOptions) {
    super(problem, options)
    this.file = file
  }
}

/** The files as a source for servers and channels; read again every `everyMs`. */
export function certificateSource(
  files: CertificateFiles,
  { everyMs = CERTIFICATES_EVERY_MS, ...listeners }: Omit<TlsSource, 'read'> = {},
): TlsSource {
  return { read: () => readCertificates(files), everyMs, ...listeners }
}

/** Throws a CertificateFileError. A few small files on a local disk: reading them holds nobody up. */
export function readCertificates({ ca, cert, key }: CertificateFiles): TlsMaterial {
  if (cert === undefined && key !== undefined) throw lacking('cert')
  if (cert !== undefined && key === undefined) throw lacking('key')
  const material: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {}
  if (ca !== undefined && ca !== 'system') {
    material.ca = read('ca', ca)
    certificatesIn('ca', ca, material.ca)
  }
  if (cert !== undefined && key !== undefined) {
    material.cert = read('cert', cert)
    material.key = read('key', key)
    checkPair(cert, material.cert, key, material.key)
  }
  return material
}

function lacking(file: 'cert' | 'key'): CertificateFileError {
  const [what, other] = file === 'cert' ? ['certificate', 'key'] : ['key', 'certificate']
  return new CertificateFileError(file, `must name the ${what} too, since a ${other} is named`)
}

function read(file: keyof CertificateFiles, path: string): Buffer {
  if (isPastedContent(path)) {
    throw new CertificateFileError(file, 'names what is in a file, not its path')
  }
  try {
    return readFileSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const problem = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`
    throw new CertificateFileError(file, `the file ${path} ${problem}`, { cause })
  }
}

const CERTIFICATE = /^-----BEGIN CERTIFICATE-----\s*$[^-]*^-----END CERTIFICATE-----\s*$/gm

/** Every certificate of the file. TLS would leave out without a word what is not one, such as two that were joined without a line end. */
function certificatesIn(file: 'ca' | 'cert', path: string, content: Buffer): X509Certificate[] {
  const text = content.toString('latin1')
  const pems = text.match(CERTIFICATE) ?? []
  const begun = text.split('-----BEGIN CERTIFICATE-----').length - 1
  try {
    if (pems.length === 0 || pems.length < begun) throw new Error('a block that is no certificate')
    return pems.map((pem) => new X509Certificate(pem))
  } catch (cause) {
    const which = pems.length === 0 ? 'no certificate' : 'something that is no certificate'
    const problem = `the file ${path} holds ${which} in PEM (-----BEGIN CERTIFICATE----- on a line of its own)`
    throw new CertificateFileError(file, problem, { cause })
  }
}

function checkPair(certPath: string, cert: Buffer, keyPath: string, key: Buffer): void {
  const [own] = certificatesIn('cert', certPath, cert)
  const ended = own !== undefined && own.validToDate.getTime() < Date.now()
  if (ended) {
    const problem = `the certificate in ${certPath} was valid until ${own.validToDate.toISOString()} only`
    throw new CertificateFileError('cert', problem)
  }
  if (!own?.checkPrivateKey(privateKey(keyPath, key))) {
    const problem = `the key in ${keyPath} is not that of the certificate in ${certPath}`
    throw new CertificateFileError('key', problem)
  }
}

function privateKey(path: string, text: Buffer) {
  try {
    return createPrivateKey(text)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const locked = code === 'ERR_MISSING_PASSPHRASE'
    const problem = locked
      ? `the key in ${path} needs a passphrase; give one without`
      : `the file ${path} holds no private key in PEM`
    // The cause might quote the file.
    throw new CertificateFileError('key', problem)
  }
}
