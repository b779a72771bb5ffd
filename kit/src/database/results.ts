import pg from 'pg'
import { parseArrayLiteral } from './array-literal.ts'
import { parseTimestamp } from './timestamp.ts'

type Parse = (text: string) => unknown

/** Type oid, oid of its array type, parser: those of pg_type, which never change. */
const parsers: readonly (readonly [oid: number, arrayOid: number, parse: Parse])[] = [
  [16, 1000, (text) => text === 't'], // bool
  [17, 1001, parseBytes], // bytea
  [20, 1016, parseInt8], // int8
  [21, 1005, Number], // int2
  [23, 1007, Number], // int4
  [25, 1009, asIs], // text
  [26, 1028, Number], // oid
  [114, 199, (text) => JSON.parse(text)], // json
  [700, 1021, Number], // float4
  [701, 1022, Number], // float8
  [1043, 1015, asIs], // varchar
  [1082, 1182, asIs], // date
  [1114, 1115, asIs], // timestamp without time zone: no Date, for it names no instant
  [1184, 1185, parseTimestamp], // timestamptz
  [1700, 1231, asIs], // numeric
  [2950, 2951, asIs], // uuid
  [3802, 3807, (text) => JSON.parse(text)], // jsonb
]

const parserByOid = new Map<number, Parse>()
for (const [oid, arrayOid, parse] of parsers) {
  parserByOid.set(oid, parse)
  parserByOid.set(arrayOid, (text) => parseArrayLiteral(text, parse))
}

/** The result parsers of our clients; `pg`'s global ones are left alone. */
export const resultTypes: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: string) => {
    if (format === 'binary') return pg.types.getTypeParser(oid, 'binary')
    return parserByOid.get(oid) ?? asIs
  },
}

function asIs(text: string): string {
  return text
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 ${text} is beyond a safe integer`)
  return value
}

function parseBytes(text: string): Buffer {
  if (!text.startsWith('\\x')) throw new RangeError('bytea_output has to be hex')
  return Buffer.from(text.slice(2), 'hex')
}
