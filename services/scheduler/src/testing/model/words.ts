/** Owners, keys and request ids of a story: any texts there can be, few of each, so that they meet. */
import fc from 'fast-check'

export interface Words {
  readonly owners: readonly string[]
  readonly keys: readonly string[]
  readonly requestIds: readonly string[]
}

const AWKWARD = [
  ...[' ', "'", '"', '\\', '%', ',', '{}', '{"a":1}', 'NULL', 'null', '-1', '1e3'],
  ...['ß', 'SS', 'é', 'e\u0301', '😀', '\uffff', '\u0001', '\r\n', '\u202e'],
]

const text = (charactersMax: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...AWKWARD) },
    { weight: 4, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }) },
    { weight: 1, arbitrary: fc.constant('€'.repeat(charactersMax)) },
  )

const few = (count: number, charactersMax: number) =>
  fc.uniqueArray(
    text(charactersMax).filter((one) => !one.includes('\0')),
    { minLength: count, maxLength: count },
  )

export const words: fc.Arbitrary<Words> = fc.record({
  owners: few(3, 255),
  keys: few(2, 200),
  requestIds: few(2, 100),
})
