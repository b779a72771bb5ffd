/** What stands in fields: often something there is, so that calls get far, and often something nobody would send. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'

/** Texts that name something, by what they name. */
export interface World {
  readonly methods: readonly string[]
  readonly jobs: readonly string[]
  readonly sessions: readonly string[]
  readonly addresses: readonly string[]
  readonly scopes: readonly string[]
  readonly uploads: readonly string[]
  readonly leases: readonly string[]
  readonly pageTokens: readonly string[]
  /** Nearly everything is as it should be, so that what is not gets far. */
  readonly calm?: boolean
}

type Bytes = fc.Arbitrary<Buffer>

const KIB = 1024
const MIB = KIB * KIB
const text = (value: string) => Buffer.from(value)

const ODD: Bytes = fc.constantFrom(
  text(''),
  text('nul\0within'),
  text('\0'),
  text('line\r\nbreak\t\x1b[31m'),
  text('\u202eright to left\u2028'),
  text('💥é'),
  text('__proto__'),
  text('constructor'),
  text('../../../../etc/shadow'),
  text("'; -- $1 %s %n {{x}} \\"),
  // What no text is: bytes that are no UTF-8, halves of pairs, NUL in two bytes.
  Buffer.from([0xff, 0xfe, 0x80]),
  Buffer.from([0xed, 0xa0, 0x80, 0x41]),
  Buffer.from([0xc0, 0x80]),
)
const LONG: Bytes = fc.constantFrom(
  Buffer.alloc(3_000, 'long '),
  Buffer.alloc(70 * KIB, 'é'),
  Buffer.alloc(MIB, 'x'),
)
const RANDOM_TEXT: Bytes = fc.string({ unit: 'binary', maxLength: 300 }).map(text)

/** Any text, seldom a long one. */
const STRANGE: Bytes = fc.oneof(
  { weight: 12, arbitrary: ODD },
  { weight: 1, arbitrary: LONG },
  { weight: 6, arbitrary: RANDOM_TEXT },
)
const NAMES = ['', 'a', 'fuzz', 'default', 'a.b-c_d']

const JSON_BYTES: Bytes = fc.constantFrom(
  text('1'),
  text('{"n":1}'),
  text('{"count":1,"everyMs":1}'),
  text('"\\u0000"'),
  text('"\\ud800"'),
  text('{"__proto__":{"n":1}}'),
  text('['.repeat(20_000)),
  text(`${'['.repeat(5_000)}${']'.repeat(5_000)}`),
  text('1e999'),
  text('NaN'),
  text('{"n":'),
  Buffer.alloc(64 * KIB, '7'),
  Buffer.alloc(64 * KIB + 1, '7'),
)
const RANDOM_BYTES: Bytes = fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes))

/** The whole of what a field of this name may hold; names of messages end in `whole`. */
export function bytesFor(name: string, world: World): Bytes | undefined {
  if (name.endsWith(' whole')) return WHOLE[name]
  if (name.endsWith('sha256 bytes')) {
    const weight = world.calm ? 50 : 2
    const fitting = fc.constantFrom(Buffer.alloc(0), Buffer.alloc(32))
    return fc.oneof({ weight, arbitrary: fitting }, RANDOM_BYTES)
  }
  if (name.endsWith(' bytes')) {
    const weight = world.calm ? 20 : 2
    return fc.oneof({ weight, arbitrary: JSON_BYTES }, RANDOM_BYTES, LONG)
  }
  const known = knownFor(name, world).map(text)
  const often = { weight: world.calm ? 50 : 4, arbitrary: fc.constantFrom(...known) }
  return known.length === 0 ? STRANGE : fc.oneof(often, { weight: 1, arbitrary: STRANGE })
}

function knownFor(name: string, world: World): readonly string[] {
  const none = (prefix: string) => [`${prefix}_${'0'.repeat(32)}`]
  if (/job_ids?$|parent|^id$/.test(name)) return [...world.jobs, ZERO_UUID]
  if (/lease_id$/.test(name)) return [...world.leases, ZERO_UUID]
  if (/session_id$/.test(name)) return [...world.sessions, ZERO_UUID]
  if (/namespace/.test(name)) return ['', '', 'default', world.calm ? '' : 'fuzz']
  if (/method|^name$/.test(name)) return world.methods
  if (/address/.test(name)) return [...world.addresses, ...none('val')]
  if (/scope/.test(name)) return ['', ...world.scopes, ...none('scp')]
  if (/upload/.test(name)) return ['', ...world.uploads, ...none('upl')]
  if (/page_token/.test(name)) return ['', ...world.pageTokens]
  if (/content_type/.test(name)) return ['', 'application/json', 'application/cbor', 'text/plain']
  if (/schema/.test(name)) return ['', '{}', 'true', '{"$ref":"#"}', '[]', '{"type":"object"}']
  if (/traceparent/.test(name)) return ['', `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`]
  return NAMES
}

const ZERO_UUID = '00000000-0000-0000-0000-000000000000'

const FEW = fc.constantFrom(0n, 1n, 2n, 10n)
const EXTREME = fc.constantFrom(
  ...[0n, 1n, 1n, 2n, 3n, 10n, 100n, -1n, 1_000n, 65_536n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n],
  ...[2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 253_402_300_800n],
)
const ORDINARY = fc.constantFrom(0.5, 1, 2, 10)
const ODD_NUMBERS = fc.constantFrom(
  ...[0, 0.5, 1, 2, 100, -0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[Number.MAX_VALUE, Number.MIN_VALUE, Number.MAX_SAFE_INTEGER + 2, 3e38],
)

/** Each number the enum knows is likelier than those it does not. */
export function enumNumbers(count: number, { calm }: World): fc.Arbitrary<number> {
  const known = { weight: calm ? 60 : 6, arbitrary: fc.nat(Math.max(0, count - 1)) }
  return fc.oneof(known, fc.constantFrom(99, -1, 2 ** 31 - 1, -(2 ** 31)))
}

function timeBytes(seconds: bigint, nanos: number): Buffer {
  const writer = new BinaryWriter().tag(1, WireType.Varint).int64(seconds)
  return Buffer.from(writer.tag(2, WireType.Varint).int64(BigInt(nanos)).finish())
}

const SHORT = fc.constantFrom(timeBytes(0n, 0), timeBytes(0n, 50_000_000))
const LONGER = fc.constantFrom(timeBytes(1n, 0), timeBytes(60n, 0))
const ODD_TIMES = fc
  .tuple(EXTREME, fc.constantFrom(0, -1, 999_999_999, 2 ** 31 - 1, -(2 ** 31)))
  .map(([seconds, nanos]) => timeBytes(seconds, nanos))

/** Mostly short: what waits must be cut off else. */
export function durations({ calm }: World): Bytes {
  const short = { weight: calm ? 60 : 4, arbitrary: SHORT }
  return fc.oneof(short, { weight: 2, arbitrary: LONGER }, ODD_TIMES)
}

export function integers({ calm }: World): fc.Arbitrary<bigint> {
  return calm ? fc.oneof({ weight: 30, arbitrary: FEW }, EXTREME) : EXTREME
}

export function numbers({ calm }: World): fc.Arbitrary<number> {
  return calm ? fc.oneof({ weight: 30, arbitrary: ORDINARY }, ODD_NUMBERS) : ODD_NUMBERS
}

const WANTED =
  /^(jobs?|job_ids?|methods?|name|params|inline|header|chunk|address|hello|lanes?|slots|add|targets|results|attempt|succeeded)$/

/** Whether a call without it gets nowhere. */
export function isWanted(name: string): boolean {
  return WANTED.test(name)
}

/** A Struct in which lists lie in lists, so many levels deep. */
function deepStruct(levels: number): Buffer {
  const wrap = (number: number, bytes: Uint8Array) =>
    Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish())
  let value: Buffer = Buffer.from(new BinaryWriter().tag(4, WireType.Varint).bool(true).finish())
  for (let level = 0; level < levels; level++) value = wrap(6, wrap(1, value))
  return wrap(1, Buffer.concat([wrap(1, Buffer.from('deep')), wrap(2, value)]))
}

const WHOLE: Readonly<Record<string, Bytes>> = {
  'google.protobuf.Struct whole': fc.constantFrom(
    ...[10, 31, 33, 60, 100, 1_000, 5_000].map(deepStruct),
  ),
}
