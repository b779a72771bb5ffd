import { shown } from '../arguments/shown.ts'
import type { CodecOptions } from './codec.ts'
import { isWrapper } from './wrapper.ts'

const FIELDS: readonly string[] = [
  'format',
  'wrappers',
  'wrapReports',
] satisfies (keyof CodecOptions)[]

type Unchecked = { readonly [field in keyof CodecOptions]?: unknown }

/** What is wrong with a codec, as the field and what it must be; undefined for nothing. */
export function codecFault(codec: unknown): readonly [field: string, problem: string] | undefined {
  if (codec === 'json' || codec === 'cbor') return undefined
  if (typeof codec !== 'object' || codec === null) {
    return ['codec', `must be "json", "cbor" or an object, not ${shown(codec)}`]
  }
  const { format, wrappers = [], wrapReports = false }: Unchecked = codec
  const unknown = Object.keys(codec).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) return [`codec.${unknown}`, `is not one of ${FIELDS.join(', ')}`]
  if (format !== undefined && format !== 'json' && format !== 'cbor') {
    return ['codec.format', `must be "json" or "cbor", not ${shown(format)}`]
  }
  if (!Array.isArray(wrappers)) return ['codec.wrappers', `must be a list, not ${shown(wrappers)}`]
  const wrong = wrappers.findIndex((wrapper) => !isWrapper(wrapper))
  if (wrong >= 0) {
    const want =
      'an object with wrap, unwrap and a name of lower-case letters, digits, ".", "_" and "-"'
    return [`codec.wrappers.${wrong}`, `must be ${want}`]
  }
  if (typeof wrapReports !== 'boolean') return ['codec.wrapReports', 'must be true or false']
  if (wrapReports && wrappers.length === 0) return ['codec.wrapReports', 'needs wrappers']
  const names = wrappers.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) < at)
  return twice === undefined ? undefined : ['codec.wrappers', `has "${twice}" twice`]
}
