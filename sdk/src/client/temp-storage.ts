import { randomUUID } from 'node:crypto'
import { durationFrom } from '@offstage/proto/durations'
import { LIMITS } from '@offstage/proto/limits'
import type { ListValuesResponse } from '@offstage/proto/storage'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, flag, someText } from '../arguments/rules.ts'
import { BYTES_TYPE, decodeValue, encodeValue, isTextType, JSON_TYPE } from '../jobs/payload.ts'
import type { Calls } from './calls.ts'
import { openDownload, readAll, takeDownload } from './download.ts'
import {
  address as addressRule,
  contentType,
  displayName,
  millisWithin,
  scope,
  textUpTo,
} from './limit-rules.ts'
import { openScope } from './scope.ts'
import type {
  CallOptions,
  ListOptions,
  PutOptions,
  PutSource,
  Scope,
  ScopeOptions,
  StorageCalls,
  StoredValue,
  ValueStream,
} from './storage-calls.ts'
import { describedFrom } from './stored-value.ts'
import { uploadBytes, uploadStream } from './upload.ts'

type ReserveOptions = Pick<PutOptions, 'scope' | 'timeToLiveMs' | 'signal'>

const timeToLiveMs = millisWithin(1, LIMITS.timeToLiveMsMax)
const leaseMs = millisWithin(LIMITS.scopeLeaseMsMin, LIMITS.scopeLeaseMsMax)
const CALL_RULES: Rules<CallOptions> = { signal: abortSignal }
const RESERVE_RULES: Rules<ReserveOptions> = { ...CALL_RULES, scope, timeToLiveMs }
const PUT_RULES: Rules<PutOptions> = {
  ...RESERVE_RULES,
  address: addressRule,
  contentType,
  owner: textUpTo(LIMITS.ownerCharactersMax),
  forJob: flag,
}
const LIST_RULES: Rules<ListOptions> = { ...CALL_RULES, scope }
const SCOPE_RULES: Rules<ScopeOptions> = { ...CALL_RULES, leaseMs, displayName }

function checkRead(address: string, options: CallOptions): void {
  someText(address, 'address')
  addressRule(address, 'address')
  checkOptions('the call', options, CALL_RULES)
}

/** The storage service as one identity uses it. */
export class TempStorage implements StorageCalls {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  async put(source: PutSource, options: PutOptions = {}): Promise<StoredValue> {
    checkOptions('put', options, PUT_RULES)
    if (isStream(source)) {
      const contentType = options.contentType ?? BYTES_TYPE
      return uploadStream(this.#calls, source, { ...options, contentType })
    }
    const encoded =
      typeof source === 'string' && isTextType(options.contentType)
        ? { bytes: Buffer.from(source, 'utf8'), contentType: '' }
        : encodeValue(source)
    if (encoded === undefined) throw new TypeError('there is no value to put')
    const contentType = options.contentType ?? (encoded.contentType || JSON_TYPE)
    return this.putBytes(encoded.bytes, { ...options, contentType })
  }

  /** Stores bytes that are in memory. */
  putBytes(bytes: Buffer, options: PutOptions): Promise<StoredValue> {
    return uploadBytes(this.#calls, bytes, options)
  }

  async get<T = unknown>(address: string, options: CallOptions = {}): Promise<T> {
    const { value, chunks } = await this.getStream(address, options)
    // The caller knows what it put; the wire does not.
    return decodeValue(await readAll(value, chunks), value.contentType) as T
  }

  /** Reads the bytes of a value, whatever they are; ETAG_MISMATCH where they have another SHA-256 than the one asked for. */
  async getBytes(address: string, sha256?: Buffer): Promise<Buffer> {
    const { value, chunks } = await openDownload(this.#calls, address, undefined, sha256)
    return readAll(value, chunks)
  }

  /** The same, and deletes the value. */
  async takeBytes(address: string, sha256?: Buffer): Promise<Buffer> {
    const { value, chunks } = await takeDownload(this.#calls, address, undefined, sha256)
    return readAll(value, chunks)
  }

  async getStream(address: string, options: CallOptions = {}): Promise<ValueStream> {
    checkRead(address, options)
    return openDownload(this.#calls, address, options.signal)
  }

  async readAndDelete<T = unknown>(address: string, options: CallOptions = {}): Promise<T> {
    checkRead(address, options)
    const { value, chunks } = await takeDownload(this.#calls, address, options.signal)
    return decodeValue(await readAll(value, chunks), value.contentType) as T
  }

  async describe(address: string, options: CallOptions = {}): Promise<StoredValue> {
    checkRead(address, options)
    const { values } = this.#calls.connection
    const method = values.describeValue.bind(values)
    const { value } = await this.#calls.callStorage(method, { address }, options)
    return describedFrom(value)
  }

  async reserve(options: ReserveOptions = {}): Promise<StoredValue> {
    checkOptions('reserve', options, RESERVE_RULES)
    const { scope, timeToLiveMs, signal } = options
    const { identity, connection } = this.#calls
    const request = {
      namespace: identity.namespace,
      scope: scope ?? identity.scope,
      timeToLive: durationFrom(timeToLiveMs),
      requestId: randomUUID(),
    }
    const method = connection.values.reserveAddress.bind(connection.values)
    const { value } = await this.#calls.callStorage(method, request, { signal })
    return describedFrom(value)
  }

  async delete(address: string, options: CallOptions = {}): Promise<boolean> {
    checkRead(address, options)
    const { values } = this.#calls.connection
    const method = values.deleteValue.bind(values)
    return (await this.#calls.callStorage(method, { address }, options)).deleted
  }

  async *list(options: ListOptions = {}): AsyncGenerator<StoredValue, void, undefined> {
    checkOptions('list', options, LIST_RULES)
    const { scope = '', signal } = options
    const { identity, connection } = this.#calls
    const method = connection.values.listValues.bind(connection.values)
    for (let pageToken = ''; ; ) {
      const request = { namespace: identity.namespace, scope, pageSize: 500, pageToken }
      const page: ListValuesResponse = await this.#calls.callStorage(method, request, { signal })
      yield* page.values.map(describedFrom)
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  async openScope(options: ScopeOptions = {}): Promise<Scope> {
    checkOptions('openScope', options, SCOPE_RULES)
    return openScope(this.#calls, options)
  }
}

function isStream(source: unknown): source is AsyncIterable<Uint8Array> {
  return typeof source === 'object' && source !== null && Symbol.asyncIterator in source
}
