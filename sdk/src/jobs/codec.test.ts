import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Codec, decodeBy, encodeBy } from './codec.ts'
import { CodecError } from './codec-error.ts'
import { defineMethod } from './define-method.ts'
import { NotEncodableError } from './not-encodable.ts'
import type { EncodedValue } from './payload.ts'
import type { Wrapper } from './wrapper.ts'

const gzip: Wrapper = {
  name: 'gzip',
  wrap: (bytes) => (bytes.byteLength < 20 ? undefined : { bytes: gzipSync(bytes) }),
  unwrap: (bytes) => gunzipSync(bytes),
}

const keys = new Map([['k1', randomBytes(32)], ['k2', randomBytes(32)]]) // biome-ignore format: short

/** Binds the content type, so that nobody can say of a sealed value that it is something else. */
function seal(current: string): Wrapper {
  const keyOf = (id: string) => keys.get(id) ?? expect.fail(`there is no key ${id}`)
  return {
    name: 'seal',
    async wrap(bytes, contentType) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', keyOf(current), iv)
      cipher.setAAD(Buffer.from(contentType))
      const sealed = [cipher.update(bytes), cipher.final()]
      return { bytes: Buffer.concat([iv, cipher.getAuthTag(), ...sealed]), keyId: current }
    },
    async unwrap(bytes, contentType, keyId) {
      const opener = createDecipheriv('aes-256-gcm', keyOf(keyId), bytes.subarray(0, 12))
      opener.setAAD(Buffer.from(contentType)).setAuthTag(bytes.subarray(12, 28))
      return Buffer.concat([opener.update(bytes.subarray(28)), opener.final()])
    },
  }
}

const encoded = async (codec: Codec, value: unknown): Promise<EncodedValue> =>
  (await encodeBy(codec, value)) ?? expect.fail('there is no value')

async function refusalOf(work: () => unknown): Promise<CodecError> {
  try {
    await work()
  } catch (error) {
    if (error instanceof CodecError) return error
    throw error
  }
  return expect.fail('nothing was refused')
}

test('what a codec has written comes back by its content type alone, whatever its format and wrappers', async () => {
  const codecs = fc.record({
    format: fc.constantFrom('json' as const, 'cbor' as const),
    wrappers: fc.subarray([gzip, seal('k1')]),
  })
  const values = fc.oneof(
    fc.json().map((text) => JSON.parse(text)),
    fc.uint8Array(),
  )
  await fc.assert(
    fc.asyncProperty(codecs, values, async (codec, value) => {
      const { bytes, contentType } = await encoded(codec, value)
      const known = [undefined, 'cbor' as const, { wrappers: [seal('k2'), gzip] }]
      const back = await decodeBy(known, bytes, contentType)
      const plain = back instanceof Uint8Array ? new Uint8Array(back) : back
      expect(JSON.stringify(plain)).toBe(JSON.stringify(value))
    }),
  )
})

test('the content type says what to undo and by which key', async () => {
  const text = 'x'.repeat(100)
  const types = [
    await encoded('json', text),
    await encoded('cbor', text),
    await encoded({ wrappers: [gzip, seal('k2')] }, text),
    await encoded({ format: 'cbor', wrappers: [gzip, seal('k1')] }, { n: 1 }),
    await encoded({ wrappers: [gzip] }, Buffer.from(text)),
    await encoded({ wrappers: [gzip] }, 'short'),
  ].map(({ contentType }) => contentType)
  expect(types).toEqual([
    '',
    'application/cbor',
    'application/vnd.offstage.wrapped; of=json; by="gzip,seal:k2"',
    'application/vnd.offstage.wrapped; of=cbor; by="seal:k1"',
    'application/vnd.offstage.wrapped; of=bytes; by="gzip"',
    '',
  ])
})

test('a wrapper is given the content type of what it wraps, the same at both ends', async () => {
  const given: string[] = []
  const name = (each: string): Wrapper => ({
    name: each,
    wrap(bytes, type) {
      given.push(type)
      return { bytes }
    },
    unwrap(bytes, type) {
      given.push(type)
      return bytes
    },
  })
  const codec = { wrappers: [name('a'), name('b')] }
  const { bytes, contentType } = await encoded(codec, 1)
  await decodeBy([codec], bytes, contentType)
  const inner = 'application/vnd.offstage.wrapped; of=json; by="a"'
  expect(given).toEqual(['application/json', inner, inner, 'application/json'])
})

test('where all wrappers answer at once, so does the codec', () => {
  const codec = { wrappers: [gzip] }
  const there = encodeBy(codec, 'x'.repeat(100))
  if (there === undefined || there instanceof Promise) return expect.fail('it is a promise')
  expect(decodeBy([codec], there.bytes, there.contentType)).toBe('x'.repeat(100))
  expect(encodeBy(codec, undefined)).toBeUndefined()
})

test('a wrapper that is not known is named, with its key', async () => {
  const { bytes, contentType } = await encoded({ wrappers: [seal('k1')] }, 'secret')
  const refusal = await refusalOf(() =>
    decodeBy([{ wrappers: [gzip] }, 'cbor'], bytes, contentType),
  )
  expect(refusal).toMatchObject({ reason: 'CODEC_UNKNOWN', contentType })
  expect(refusal.message).toContain('"seal" with the key k1')
  const other = await refusalOf(() => decodeBy([], bytes, `${contentType}; and=more`))
  expect(other).toMatchObject({ reason: 'CODEC_UNKNOWN' })
})

test('what a wrapper throws is told with its name, and is the cause', async () => {
  const codec = { wrappers: [seal('k1')] }
  const { bytes, contentType } = await encoded(codec, 'secret')
  const spoilt = Buffer.from(bytes)
  spoilt[30] = (spoilt[30] ?? 0) ^ 1
  const forged = contentType.replace('of=json', 'of=cbor')
  const rekeyed = contentType.replace('k1', 'k2')
  const wrong = [
    [spoilt, contentType],
    [bytes, forged],
    [bytes, rekeyed],
  ] as const
  for (const [sealed, type] of wrong) {
    const refusal = await refusalOf(() => decodeBy([codec], sealed, type))
    expect(refusal.reason).toBe('CODEC_FAILED')
    expect(refusal.message).toContain('the wrapper "seal" cannot unwrap the value')
    expect(refusal.cause).toBeInstanceOf(Error)
  }
  const cause = new Error('no keys today')
  const broken = { ...gzip, wrap: () => Promise.reject(cause) }
  expect(await refusalOf(() => encodeBy({ wrappers: [broken] }, 1))).toMatchObject({ cause })
})

test.each([
  ['no bytes', { bytes: 'text' as never }, 'it gave no bytes'],
  ['a key id that cannot be told', { bytes: Buffer.alloc(1), keyId: 'a,b' }, 'its key id'],
])('a wrapper that gives %s is refused', async (_, wrapped, problem) => {
  const refusal = await refusalOf(() =>
    encodeBy({ wrappers: [{ ...gzip, wrap: () => wrapped }] }, 'x'),
  )
  expect(refusal.message).toContain(problem)
})

test('wrappers and keys whose names make too long a content type are refused', async () => {
  const wrapper = { ...gzip, wrap: (bytes: Uint8Array) => ({ bytes, keyId: 'k'.repeat(64) }) }
  await expect(async () => encodeBy({ wrappers: [wrapper] }, 1)).rejects.toThrow(NotEncodableError)
})

test('what the format would lose is refused with its path, wrapped or not', () => {
  expect(() => encodeBy({ wrappers: [gzip] }, { a: [1n] })).toThrow(/^a\.0: JSON has no bigint/)
  expect(() => encodeBy('cbor', { a: [() => 1] })).toThrow(/^a\.0: CBOR has no function/)
})

test.each([
  ['xml', 'codec must be "json", "cbor" or an object, not "xml"'],
  [{ format: 'xml' }, 'codec.format must be "json" or "cbor", not "xml"'],
  [{ wrapper: [gzip] }, 'codec.wrapper is not one of format, wrappers, wrapReports'],
  [{ wrappers: gzip }, 'codec.wrappers must be a list'],
  [{ wrappers: [gzip, { ...gzip, name: 'Gzip' }] }, 'codec.wrappers.1 must be an object with wrap'],
  [{ wrappers: [gzip, gzip] }, 'codec.wrappers has "gzip" twice'],
])('a definition with the codec %j is refused, naming the field', (codec, problem) => {
  expect(() => defineMethod({ method: 'a.b', codec: codec as never })).toThrow(problem)
})
