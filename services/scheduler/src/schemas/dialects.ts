/** The dialects of JSON Schema, each with its validator. */
import { Ajv, type FuncKeywordDefinition, type Options, str } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'
import { compilePattern } from './patterns.ts'

const DIALECTS = {
  'https://json-schema.org/draft/2020-12/schema': Ajv2020,
  'https://json-schema.org/draft/2019-09/schema': Ajv2019,
  'http://json-schema.org/draft-07/schema': Ajv,
} as const
const DEFAULT = 'https://json-schema.org/draft/2020-12/schema'

export type Dialect = keyof typeof DIALECTS
export const DIALECT_NAMES = Object.keys(DIALECTS)

/** By `$schema`; undefined for one that is not known. */
export function dialectOf(schema: unknown): Dialect | undefined {
  const { $schema } = (typeof schema === 'object' ? schema : {}) as { $schema?: unknown }
  if ($schema === undefined) return DEFAULT
  if (typeof $schema !== 'string') return undefined
  const name = $schema
    .replace(/#$/, '')
    .replace('https://json-schema.org/draft-07', 'http://json-schema.org/draft-07')
  return Object.hasOwn(DIALECTS, name) ? (name as Dialect) : undefined
}

/**
 * Read leniently: a handler's own library may take more than the letter of a format, and what fits must never be refused.
 * What is not named here is not looked at.
 */
const FORMATS = {
  date: fullFormats.date,
  time: fullFormats['iso-time'],
  'date-time': fullFormats['iso-date-time'],
  uuid: fullFormats.uuid,
  ipv4: fullFormats.ipv4,
  ipv6: fullFormats.ipv6,
  uri: (text: string) => URL.canParse(text),
  email: (text: string) => /^[^@]+@[^@]+$/.test(text),
}

/** `onBacktracking` hears of patterns that may take any time. */
export function createValidator(dialect: Dialect, onBacktracking: () => void) {
  const options: Options = {
    allErrors: true,
    strict: false,
    logger: false,
    validateSchema: false,
    inlineRefs: false,
    ownProperties: true,
    formats: FORMATS as NonNullable<Options['formats']>,
    code: { regExp: Object.assign(engine, { code: 'new RegExp' }) },
  }
  function engine(source: string) {
    return compilePattern(source, onBacktracking)
  }
  const validator = new DIALECTS[dialect](options)
  return validator.removeKeyword('multipleOf').addKeyword(MULTIPLE_OF)
}

/** 0.07 is a multiple of 0.01, though dividing them gives 7.000000000000001. */
const QUOTIENT_ERROR = 2 ** -50
const MULTIPLE_OF: FuncKeywordDefinition = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  compile: (divisor: number) => (value: number) => {
    const quotient = value / divisor
    if (!Number.isFinite(quotient)) return true
    return Math.abs(quotient - Math.round(quotient)) <= Math.abs(quotient) * QUOTIENT_ERROR
  },
  error: { message: ({ schema }) => str`must be multiple of ${schema}` },
}
