import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { isPastedContent } from '@offstage/proto/pasted-content'
import { z } from 'zod'
// Not by way of its mod.ts, which would load the database drivers.
import { parsePostgresUrl } from '../database/postgres-url.ts'

/** A schema that parses a text, or finds it to be nothing that `what` describes. */
function parsed<T>(what: string, parse: (text: string) => T | undefined) {
  return z.string().transform((text, context) => {
    const value = parse(text.trim())
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `must be ${what}` })
    return z.NEVER
  })
}

function wholeNumber(text: string, min: number, max: number): number | undefined {
  if (!/^\d+$/.test(text)) return undefined
  const value = Number(text)
  return value >= min && value <= max ? value : undefined
}

/** A TCP port, 0..65535; 0 lets the system choose. */
export const port = parsed('a port from 0 to 65535', (text) => wholeNumber(text, 0, 65_535))

/** A host name or an IP address, without a port. */
export const host = parsed('a host name or an IP address', (text) =>
  isIP(text) !== 0 || isHostName(text) ? text : undefined,
)

const ADDRESS = /^(\[[0-9a-f:.]+\]|[^\s:/[\]@]+):(\d+)$/i
const NAME_OF_GRPC = /^(unix(-abstract)?:|(dns|ipv4|ipv6|xds):[^@]*$)/

/** Where a service is: `host:port`, `[::1]:port`, or another name that gRPC resolves, such as `dns:///host:port`. */
export const address = parsed('host:port, such as 127.0.0.1:7701, and not a url', (text) => {
  if (NAME_OF_GRPC.test(text)) return text
  const [, , digits] = ADDRESS.exec(text) ?? []
  return digits === undefined || wholeNumber(digits, 1, 65_535) === undefined ? undefined : text
})

const MILLIS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time span with its unit, such as `800ms`, `5s`, `2m`, `1.5h`, `30d`; whole milliseconds. */
export const millis = parsed('a time with its unit, such as 800ms, 5s, 2m, 1h or 30d', (text) => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text) ?? []
  if (amount === undefined || unit === undefined) return undefined
  return safe(Number(amount) * MILLIS[unit as keyof typeof MILLIS])
})

const BYTES = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** A size such as `64KiB`, `16MiB`, `1GiB`; a number alone is bytes. */
export const bytes = parsed('a size in bytes, such as 512, 64KiB, 16MiB or 1GiB', (text) => {
  const [, amount, unit = 'B'] = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?$/.exec(text) ?? []
  if (amount === undefined) return undefined
  return safe(Number(amount) * BYTES[unit as keyof typeof BYTES])
})

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

/** `true` or `1`, `false` or `0`. */
export const flag = parsed('true, false, 1 or 0', (text) => FLAGS.get(text.toLowerCase()))

/** A whole number from 1. */
export const positiveInteger = parsed('a whole number from 1', (text) =>
  wholeNumber(text, 1, Number.MAX_SAFE_INTEGER),
)

/** The path of a file, made absolute; whether it can be read is for its user to see. */
export const file = parsed('the path of a file, not what is in it', (text) =>
  text === '' || text.includes('\0') || isPastedContent(text) ? undefined : resolve(text),
)

/** A bearer token; told in its own words, since what sends a wrong one would show it in an error. */
export const bearerToken = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'has characters that no token has, such as spaces or line breaks')

/** A folder, made absolute; whether it exists is for its user to see. */
export const directory = parsed('the path of a folder', (text) =>
  text === '' || text.includes('\0') ? undefined : resolve(text),
)

/** `postgres://user:password@host:port/database`, with `sslmode` and certificates behind it if need be. */
export const postgresUrl = parsed('a url like postgres://user@host:5432/database', (text) =>
  isUrl(text, ['postgres:', 'postgresql:']) ? text : undefined,
).superRefine((text, context) => {
  try {
    parsePostgresUrl(text)
  } catch (error) {
    const message = `must be a url that says well how to encrypt: ${(error as TypeError).message}`
    context.addIssue({ code: 'custom', message })
  }
})

/** `nats://host:port` or `tls://…`, with credentials if need be; several with commas between. */
export const natsUrl = parsed('a url like nats://host:4222, or several with commas', (text) =>
  text.split(',').every((each) => isUrl(each, ['nats:', 'tls:'])) ? text : undefined,
)

function safe(value: number): number | undefined {
  const whole = Math.round(value)
  return Number.isSafeInteger(whole) ? whole : undefined
}

function isHostName(text: string): boolean {
  const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i
  const labels = text.replace(/\.$/, '').split('.')
  // All digits and dots would be an IP address, and was none.
  return text.length <= 253 && !/^[\d.]+$/.test(text) && labels.every((each) => label.test(each))
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  const url = URL.parse(text.trim())
  return url !== null && protocols.includes(url.protocol) && url.hostname !== ''
}
