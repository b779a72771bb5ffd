/**
 * Makes values of the tokens of CBOR. Input may be hostile: nothing is as large as it says it is before it was read, and nothing is
 * nested deeper than {@link CBOR_DEPTH_MAX}. A map whose keys are all texts becomes an object, another one a `Map`.
 */
import type { Tokenizer } from 'cborg'
import { cborLibrary } from './cbor-library.ts'
import { readInPieces, textOf } from './cbor-strings.ts'
import { MAP_TAG, TAG_READERS } from './cbor-tags.ts'

/** Levels of lists, maps and tags, itself the first. */
export const CBOR_DEPTH_MAX = 500

/** The end of a list or map whose length was not told. */
const BREAK = Symbol('break')

/** @throws Error for what is not CBOR, more than one value, or has a tag that is not known here */
export function readCbor(bytes: Uint8Array): unknown {
  // Buffers are sliced slower, and share what they are sliced from.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const { Tokenizer } = cborLibrary()
  const tokens = new Tokenizer(plain, { allowIndefinite: true, allowBigInt: true })
  const value = read(tokens, CBOR_DEPTH_MAX)
  if (value === BREAK) throw new SyntaxError('a break is in no list or map')
  if (!tokens.done()) throw new SyntaxError('something follows the value')
  return value
}

function read(tokens: Tokenizer, levels: number): unknown {
  if (tokens.done()) throw new SyntaxError('it ends before its end')
  const inPieces = readInPieces(tokens)
  if (inPieces !== undefined) return inPieces.value
  const { Type } = cborLibrary()
  const from = tokens.pos()
  const { type, value } = tokens.next()
  if (type === Type.break) return BREAK
  if (type === Type.string) return textOf(tokens, from, value)
  // The library hands out one and the same empty array each time.
  if (type === Type.bytes && value.byteLength === 0) return new Uint8Array()
  if (type.terminal) return value
  if (levels === 0) throw new SyntaxError(`it is nested deeper than ${CBOR_DEPTH_MAX} levels`)
  if (type === Type.array) return readList(tokens, value, levels - 1)
  if (type === Type.map) return objectOf(readEntries(tokens, value, levels - 1))
  return readTagged(tokens, value, levels - 1)
}

/** A value that must be there. */
function readInner(tokens: Tokenizer, levels: number): unknown {
  const value = read(tokens, levels)
  if (value === BREAK) throw new SyntaxError('a break is where a value must be')
  return value
}

function readList(tokens: Tokenizer, length: number, levels: number): unknown[] {
  const list: unknown[] = []
  while (list.length < length) {
    const value = read(tokens, levels)
    if (value !== BREAK) list.push(value)
    else if (length === Number.POSITIVE_INFINITY) break
    else throw new SyntaxError('a break is where a value must be')
  }
  return list
}

function readEntries(tokens: Tokenizer, length: number, levels: number): Map<unknown, unknown> {
  const entries = new Map<unknown, unknown>()
  while (entries.size < length) {
    const key = read(tokens, levels)
    if (key === BREAK) {
      if (length === Number.POSITIVE_INFINITY) break
      throw new SyntaxError('a break is where a key must be')
    }
    if (entries.has(key)) throw new SyntaxError('a map has a key twice')
    entries.set(key, readInner(tokens, levels))
  }
  return entries
}

function objectOf(entries: Map<unknown, unknown>): unknown {
  for (const key of entries.keys()) if (typeof key !== 'string') return entries
  // Makes an own property of every key, `__proto__` too.
  return Object.fromEntries(entries as Map<string, unknown>)
}

function readTagged(tokens: Tokenizer, tag: unknown, levels: number): unknown {
  if (tag === MAP_TAG) {
    if (levels === 0 || tokens.done()) throw new SyntaxError('a map is missing or too deep')
    const { type, value } = tokens.next()
    if (type !== cborLibrary().Type.map) throw new SyntaxError('what is tagged as a map is none')
    return readEntries(tokens, value, levels - 1)
  }
  const readTag = TAG_READERS.get(tag)
  if (readTag === undefined) throw new SyntaxError(`tag ${tag} has no counterpart here`)
  return readTag(readInner(tokens, levels))
}
