/**
 * Certificates and keys that change while a process runs. Servers and clients take them from here, so a rotated one is used for
 * the next connection, and no call under way is dropped.
 *
 * 1. What was read last and could be read stays in use: a file that is missing for a moment ends nothing.
 * 2. They are read anew only while somebody uses them.
 */
import { rootCertificates } from 'node:tls'
import type { experimental } from '@grpc/grpc-js'

/** PEM texts. */
export interface TlsMaterial {
  /** Whom to trust. Default: the roots that come with Node; a server that asks for client certificates must say. */
  readonly ca?: Buffer
  /** The own certificate with its chain; a server needs one, a client only for mutual TLS. */
  readonly cert?: Buffer
  /** The key of `cert`. */
  readonly key?: Buffer
}

export interface TlsSource {
  /** Gives what holds now; called again every `everyMs`. */
  read(): TlsMaterial | Promise<TlsMaterial>
  /** Default 60,000. */
  readonly everyMs?: number
  /** Told when a reading fails; what was read before stays in use. */
  onError?(error: unknown): void
  /** Told when a later reading gave something new, which holds for the next connection. */
  onChange?(): void
}

type CaListener = experimental.CaCertificateUpdateListener
type IdentityListener = experimental.IdentityCertificateUpdateListener

export class Certificates implements experimental.CertificateProvider {
  readonly #source: TlsSource
  readonly #ca = new Set<CaListener>()
  readonly #identity = new Set<IdentityListener>()
  #material: TlsMaterial | undefined
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> | undefined

  constructor(source: TlsSource) {
    this.#source = source
  }

  /** Reads for the first time, so that what cannot be read is known before anything listens. */
  async open(): Promise<TlsMaterial> {
    this.#material = await this.#source.read()
    return this.#material
  }

  addCaCertificateListener(listener: CaListener): void {
    this.#ca.add(listener)
    this.#watch(() => this.#tellCa(listener))
  }

  removeCaCertificateListener(listener: CaListener): void {
    this.#ca.delete(listener)
    this.#rest()
  }

  addIdentityCertificateListener(listener: IdentityListener): void {
    this.#identity.add(listener)
    this.#watch(() => this.#tellIdentity(listener))
  }

  removeIdentityCertificateListener(listener: IdentityListener): void {
    this.#identity.delete(listener)
    this.#rest()
  }

  /** Reads now, as the timer does; those who use the certificates are told what has changed. */
  refresh(): Promise<void> {
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #refresh(): Promise<void> {
    const before = this.#material
    try {
      this.#material = await this.#source.read()
    } catch (error) {
      this.#source.onError?.(error)
      if (before !== undefined) return
    }
    const now = this.#material
    const first = before === undefined
    const newCa = first || !same(before.ca, now?.ca)
    const newIdentity = first || !same(before.cert, now?.cert) || !same(before.key, now?.key)
    if (newCa) for (const tell of this.#ca) this.#tellCa(tell)
    if (newIdentity) for (const tell of this.#identity) this.#tellIdentity(tell)
    if (!first && (newCa || newIdentity)) this.#source.onChange?.()
  }

  /** `null` says that there is none to be had; grpc-js then fails the connection. */
  #tellCa(listener: CaListener): void {
    const ca = this.#material && (this.#material.ca ?? Buffer.from(rootCertificates.join('\n')))
    listener(ca === undefined ? null : { caCertificate: ca })
  }

  #tellIdentity(listener: IdentityListener): void {
    const { cert, key } = this.#material ?? {}
    listener(cert && key ? { certificate: cert, privateKey: key } : null)
  }

  #watch(tell: () => void): void {
    this.#timer ??= setInterval(() => void this.refresh(), this.#source.everyMs ?? 60_000).unref()
    if (this.#material === undefined) void this.refresh()
    else process.nextTick(tell)
  }

  #rest(): void {
    if (this.#ca.size + this.#identity.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function same(left: Buffer | undefined, right: Buffer | undefined): boolean {
  return left === right || (left !== undefined && right !== undefined && left.equals(right))
}
