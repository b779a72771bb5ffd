import type { ListValuesResponse } from '@offstage/proto/storage'
import { BYTES_TYPE, decodeValue, encodeValue, JSON_TYPE } from '../jobs/payload.ts'
import { durationFrom } from '../jobs/policies.ts'
import { openDownload, readAll, takeDownload } from './download.ts'
import { openScope } from './scope.ts'
import type { Session } from './session.ts'
import type {
  PutOptions,
  PutSource,
  Scope,
  StorageCalls,
  StoredValue,
  ValueStream,
} from './storage-calls.ts'
import { describedFrom } from './stored-value.ts'
import { uploadBytes, uploadStream } from './upload.ts'

/** The storage service as one identity uses it. */
export class TempStorage implements StorageCalls {
  readonly #session: Session

  constructor(session: Session) {
    this.#session = session
  }

  put(source: PutSource, options: PutOptions = {}): Promise<StoredValue> {
    if (isStream(source)) {
      const contentType = options.contentType ?? BYTES_TYPE
      return uploadStream(this.#session, source, { ...options, contentType })
    }
    const encoded = encodeValue(source)
    if (encoded === undefined) return Promise.reject(new TypeError('there is no value to put'))
    const contentType = options.contentType ?? (encoded.contentType || JSON_TYPE)
    return this.putBytes(encoded.bytes, { ...options, contentType })
  }

  /** Stores bytes that are in memory. */
  putBytes(bytes: Buffer, options: PutOptions): Promise<StoredValue> {
    return uploadBytes(this.#session, bytes, options)
  }

  async get<T = unknown>(address: string, options: { signal?: AbortSignal } = {}): Promise<T> {
    const { value, chunks } = await this.getStream(address, options)
    // The caller knows what it put; the wire does not.
    return decodeValue(await readAll(value, chunks), value.contentType) as T
  }

  /** Reads the bytes of a value, whatever they are. */
  async getBytes(address: string): Promise<Buffer> {
    const { value, chunks } = await this.getStream(address)
    return readAll(value, chunks)
  }

  getStream(address: string, { signal }: { signal?: AbortSignal } = {}): Promise<ValueStream> {
    return openDownload(this.#session, address, signal)
  }

  async readAndDelete<T = unknown>(
    address: string,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<T> {
    const { value, chunks } = await takeDownload(this.#session, address, signal)
    return decodeValue(await readAll(value, chunks), value.contentType) as T
  }

  async describe(address: string, options: { signal?: AbortSignal } = {}): Promise<StoredValue> {
    const { values } = this.#session.connection
    const method = values.describeValue.bind(values)
    const { value } = await this.#session.callStorage(method, { address }, options)
    return describedFrom(value)
  }

  async reserve({
    scope,
    timeToLiveMs,
    signal,
  }: Pick<PutOptions, 'scope' | 'timeToLiveMs' | 'signal'> = {}): Promise<StoredValue> {
    const { identity, connection } = this.#session
    const request = {
      namespace: identity.namespace,
      scope: scope ?? identity.scope,
      timeToLive: durationFrom(timeToLiveMs),
    }
    const method = connection.values.reserveAddress.bind(connection.values)
    const { value } = await this.#session.callStorage(method, request, { signal })
    return describedFrom(value)
  }

  async delete(address: string, options: { signal?: AbortSignal } = {}): Promise<boolean> {
    const { values } = this.#session.connection
    const method = values.deleteValue.bind(values)
    return (await this.#session.callStorage(method, { address }, options)).deleted
  }

  async *list({
    scope = '',
    signal,
  }: {
    scope?: string
    signal?: AbortSignal
  } = {}): AsyncGenerator<StoredValue, void, undefined> {
    const { identity, connection } = this.#session
    const method = connection.values.listValues.bind(connection.values)
    for (let pageToken = ''; ; ) {
      const request = { namespace: identity.namespace, scope, pageSize: 500, pageToken }
      const page: ListValuesResponse = await this.#session.callStorage(method, request, { signal })
      yield* page.values.map(describedFrom)
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  openScope(
    options: { leaseMs?: number; displayName?: string; signal?: AbortSignal } = {},
  ): Promise<Scope> {
    return openScope(this.#session, options)
  }
}

function isStream(source: unknown): source is AsyncIterable<Uint8Array> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}
