import { randomUUID } from 'node:crypto'
import { durationFrom } from '@offstage/proto/durations'
import { LIMITS } from '@offstage/proto/limits'
import type { ListValuesResponse } from '@offstage/proto/storage'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, flag, someText } from '../arguments/rules.ts'
import { type ByteStream, isByteStream } from '../jobs/byte-stream.ts'
import { type Codec, encodeBy, formatOf, isWrapping, wrapBy } from '../jobs/codec.ts'
import { CodecError } from '../jobs/codec-error.ts'
import { BYTES_TYPE, type EncodedValue, isTextType, JSON_TYPE } from '../jobs/payload.ts'
import type { Calls } from './calls.ts'
import { codecRule } from './codec-rule.ts'
import { codecRefused, decodeRead } from './decode.ts'
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
  ReadOptions,
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
  codec: codecRule,
  owner: textUpTo(LIMITS.ownerCharactersMax),
  forJob: flag,
}
const READ_RULES: Rules<ReadOptions> = { ...CALL_RULES, contentType, codec: codecRule }
const LIST_RULES: Rules<ListOptions> = { ...CALL_RULES, scope }
const SCOPE_RULES: Rules<ScopeOptions> = { ...CALL_RULES, leaseMs, displayName }

function checkRead<O extends CallOptions>(address: string, options: O, rules: Rules<O>): void {
  someText(address, 'address')
  addressRule(address, 'address')
  checkOptions('the call', options, rules)
}

/** The storage service as one identity uses it. */
export class TempStorage implements StorageCalls {
  readonly #calls: Calls
  readonly #codec: Codec | undefined

  constructor(calls: Calls, codec?: Codec) {
    this.#calls = calls
    this.#codec = codec
  }

  async put(source: PutSource, options: PutOptions = {}): Promise<StoredValue> {
    checkOptions('put', options, PUT_RULES)
    const codec = options.codec ?? this.#codec
    if (isByteStream(source)) {
      if (isWrapping(codec)) throw new TypeError(UNWRAPPABLE)
      return this.putStream(source, options)
    }
    const { bytes, contentType } = await encoded(codec, source, options.contentType)
    return this.putBytes(bytes, { ...options, contentType })
  }

  /** Stores bytes that are in memory. */
  putBytes(bytes: Buffer, options: PutOptions): Promise<StoredValue> {
    return uploadBytes(this.#calls, bytes, options)
  }

  /** Stores what a stream brings, unless `onBytes`, told how many have come, throws. */
  putStream(
    source: ByteStream,
    options: PutOptions,
    onBytes?: (count: number) => void,
  ): Promise<StoredValue> {
    const contentType = options.contentType ?? BYTES_TYPE
    return uploadStream(this.#calls, source, { ...options, contentType }, onBytes)
  }

  async get<T = unknown>(address: string, options: ReadOptions = {}): Promise<T> {
    checkRead(address, options, READ_RULES)
    return this.#decode<T>(await openDownload(this.#calls, address, options.signal), options)
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
    checkRead(address, options, CALL_RULES)
    return openDownload(this.#calls, address, options.signal)
  }

  async readAndDelete<T = unknown>(address: string, options: ReadOptions = {}): Promise<T> {
    checkRead(address, options, READ_RULES)
    return this.#decode<T>(await takeDownload(this.#calls, address, options.signal), options)
  }

  async #decode<T>({ value, chunks }: ValueStream, options: ReadOptions): Promise<T> {
    const bytes = await readAll(value, chunks)
    const { contentType = value.contentType, codec } = options
    // The caller knows what it put; the wire does not.
    return (await decodeRead([codec, this.#codec], bytes, contentType)) as T
  }

  async describe(address: string, options: CallOptions = {}): Promise<StoredValue> {
    checkRead(address, options, CALL_RULES)
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
    checkRead(address, options, CALL_RULES)
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

const UNWRAPPABLE =
  'a stream cannot be wrapped: put its bytes, or with codec: "json" as it is, wrapped by yourself'

/** A value as it is put: under its own type, or the one it is put under. */
async function encoded(
  codec: Codec | undefined,
  source: unknown,
  contentType: string | undefined,
): Promise<EncodedValue> {
  try {
    if (contentType === undefined) {
      const value = await encodeBy(codec, source)
      if (value === undefined) throw new TypeError('there is no value to put')
      return { ...value, contentType: value.contentType || JSON_TYPE }
    }
    const isText = typeof source === 'string' && isTextType(contentType)
    const bytes = isText
      ? Buffer.from(source, 'utf8')
      : (await encodeBy(formatOf(codec), source))?.bytes
    if (bytes === undefined) throw new TypeError('there is no value to put')
    return await wrapBy(codec, { bytes, contentType })
  } catch (error) {
    throw error instanceof CodecError ? codecRefused(error) : error
  }
}
