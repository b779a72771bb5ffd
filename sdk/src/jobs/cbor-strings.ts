/** Texts and bytes of CBOR where the library is not exact, or does not read them: those that come in pieces, and texts that are no UTF-8. */
import type { Tokenizer } from 'cborg'

/** Bytes and texts whose length is not told (RFC 8949, 3.2.3), as some writers send long ones. */
const [BYTES_IN_PIECES, TEXT_IN_PIECES] = [0x5f, 0x7f]
const BREAK = 0xff
/** The places after the first byte that a length takes, from the lowest five bits 24 on. */
const LENGTH_BYTES = [1, 2, 4, 8]

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What comes next, if it is in pieces. */
export function readInPieces(tokens: Tokenizer): { readonly value: unknown } | undefined {
  const kind = tokens.data[tokens.pos()]
  if (kind !== BYTES_IN_PIECES && kind !== TEXT_IN_PIECES) return undefined
  const pieces: Uint8Array[] = []
  const texts: string[] = []
  tokens._pos += 1
  while (tokens.data[tokens.pos()] !== BREAK) {
    if (tokens.done()) throw new SyntaxError('it ends before its end')
    const isAlike = (tokens.data[tokens.pos()] ?? 0) >> 5 === kind >> 5
    if (!isAlike) throw new SyntaxError('a piece of a text or of bytes is something else')
    if (tokens.data[tokens.pos()] === kind) throw new SyntaxError('a piece is itself in pieces')
    if (kind === TEXT_IN_PIECES) texts.push(readText(tokens))
    else pieces.push(tokens.next().value)
  }
  tokens._pos += 1
  return { value: kind === TEXT_IN_PIECES ? texts.join('') : joined(pieces) }
}

/** As {@link textOf}, of the text that comes next. */
function readText(tokens: Tokenizer): string {
  const from = tokens.pos()
  return textOf(tokens, from, tokens.next().value)
}

/** The text that the library has read from there on: it takes any bytes, and drops the mark at the beginning of some. */
export function textOf(tokens: Tokenizer, from: number, read: string): string {
  const head = tokens.data[from] ?? 0
  const bytes = tokens.data.subarray(from + 1 + (LENGTH_BYTES[(head & 31) - 24] ?? 0), tokens.pos())
  const isDoubtful = read.includes('\ufffd') || bytes[0] === 0xef
  if (!isDoubtful) return read
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new SyntaxError('a text is no UTF-8', { cause })
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}
