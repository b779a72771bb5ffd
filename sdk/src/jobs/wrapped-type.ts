/**
 * The content type of what wrappers have wrapped: `application/vnd.offstage.wrapped; of=cbor; by="gzip,seal:k1"` is CBOR that was
 * given to `gzip` first and then to `seal`, which used its key `k1`.
 */
import { CBOR_TYPE } from './cbor.ts'
import { BYTES_TYPE, JSON_TYPE } from './payload.ts'

const WRAPPED_TYPE = 'application/vnd.offstage.wrapped'
const PARTS =
  /^application\/vnd\.offstage\.wrapped; of=(?:(\w+)|"((?:[^"\\]|\\.)*)"); by="([^"]+)"$/

/** One wrapping. */
export interface Wrapping {
  readonly name: string
  /** Empty for none. */
  readonly keyId: string
}

/** What is wrapped, and by what, the first wrapper first. */
export interface WrappedType {
  readonly of: string
  readonly by: readonly Wrapping[]
}

/** Content types are short: the usual ones have names. */
const SHORT = new Map([
  ['json', JSON_TYPE],
  ['cbor', CBOR_TYPE],
  ['bytes', BYTES_TYPE],
])

/** The content type itself where nothing has wrapped it. */
export function wrappedType({ of, by }: WrappedType): string {
  if (by.length === 0) return of
  const chain = by.map(({ name, keyId }) => (keyId === '' ? name : `${name}:${keyId}`))
  return `${WRAPPED_TYPE}; of=${shortOf(of || JSON_TYPE)}; by="${chain.join(',')}"`
}

function shortOf(type: string): string {
  for (const [short, long] of SHORT) if (long === type) return short
  return `"${type.replaceAll(/["\\]/g, '\\$&')}"`
}

export function isWrappedType(contentType: string): boolean {
  return contentType.startsWith(WRAPPED_TYPE)
}

/** Undefined for what nobody here has written. */
export function parseWrappedType(contentType: string): WrappedType | undefined {
  const [, short = '', quoted, chain = ''] = PARTS.exec(contentType) ?? []
  const of = quoted === undefined ? SHORT.get(short) : quoted.replaceAll(/\\(.)/g, '$1')
  if (of === undefined) return undefined
  const by = chain.split(',').map((link) => {
    const [name = '', keyId = ''] = link.split(':', 2)
    return { name, keyId }
  })
  return { of, by }
}
