/**
 * Messages of any type as bytes, made from the descriptors: what a caller in any language can send, well-formed or nearly so. Bytes
 * and not objects, for no encoder writes text that is no UTF-8, a field twice or a number of the wrong width.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import type { DescField, DescMessage } from '@offstage/proto/descriptor-files'
import fc from 'fast-check'
import {
  bytesFor,
  durations,
  enumNumbers,
  integers,
  isWanted,
  numbers,
  type World,
} from './values.ts'

const NOTHING = Buffer.alloc(0)
/** Messages in messages; what lies deeper is made whole, by {@link bytesFor}. */
const DEPTH_MAX = 5
/** Numbers of ScalarType in descriptors. */
const DOUBLE = 1
const FLOAT = 2
const FIXED64 = [6, 16]
const FIXED32 = [7, 15]
const BOOL = 8
const STRING = 9
const BYTES = 12
const ZIGZAG = [17, 18]

type Bytes = fc.Arbitrary<Buffer>

/** A message of the type; each of its fields is there or not. */
export function messageOf(type: DescMessage, world: World, depth = 0): Bytes {
  if (depth >= DEPTH_MAX) return fc.constant(NOTHING)
  if (type.typeName === 'google.protobuf.Duration') return durations(world)
  const single = type.fields.filter(({ oneof }) => oneof === undefined)
  const parts = single.map((field) =>
    seldom(fieldOf(field, world, depth), world.calm && !isWanted(field.name)),
  )
  const chosen = type.oneofs.map((oneof) =>
    seldom(fc.oneof(...oneof.fields.map((field) => fieldOf(field, world, depth)))),
  )
  const whole = fc.tuple(...parts, ...chosen).map((all) => Buffer.concat(all))
  // A field twice, fields that there are none of, and messages that break off.
  const spoilt = fc.tuple(whole, whole, fc.uint8Array({ maxLength: 40 }), fc.nat(60))
  return fc.oneof(
    { weight: world.calm ? 100 : 30, arbitrary: whole },
    { weight: 1, arbitrary: spoilt.map(([one, two]) => Buffer.concat([one, two])) },
    { weight: 1, arbitrary: spoilt.map(([one, , junk]) => Buffer.concat([one, junk])) },
    { weight: 1, arbitrary: spoilt.map(([one, , , cut]) => one.subarray(0, one.length - cut)) },
  )
}

/** There or not; very seldom where it is in the way. */
function seldom(bytes: Bytes, inTheWay = false): Bytes {
  const there = { weight: inTheWay ? 1 : 4, arbitrary: bytes }
  return fc.oneof(there, { weight: inTheWay ? 12 : 2, arbitrary: fc.constant(NOTHING) })
}

function fieldOf(field: DescField, world: World, depth: number): Bytes {
  if (field.fieldKind === 'map') return entriesOf(field, world, depth)
  const one = oneOf(field, world, depth)
  if (field.fieldKind !== 'list') return one
  const many = fc.array(one, { maxLength: 4 }).map((all) => Buffer.concat(all))
  const very = fc.tuple(one, fc.constantFrom(200, 1_500, 12_000)).map(([bytes, count]) =>
    // Some limits count, and others weigh.
    Buffer.concat(Array.from({ length: bytes.length > 1_000 ? 3 : count }, () => bytes)),
  )
  return fc.oneof({ weight: 25, arbitrary: many }, { weight: 1, arbitrary: very })
}

/** One value with its tag; of a list, one of its values. */
function oneOf(field: DescField, world: World, depth: number): Bytes {
  if (field.message !== undefined) {
    const inner = messageOf(field.message, world, depth + 1)
    const deep = bytesFor(`${field.message.typeName} whole`, world)
    const any = deep === undefined ? inner : fc.oneof({ weight: 9, arbitrary: inner }, deep)
    return any.map((bytes) => delimited(field.number, bytes))
  }
  if (field.enum !== undefined) {
    return enumNumbers(field.enum.values.length, world).map((number) =>
      varint(field.number, number),
    )
  }
  return scalarOf(field.number, field.name, field.scalar ?? BYTES, world)
}

function scalarOf(number: number, name: string, scalar: number, world: World): Bytes {
  if (scalar === STRING || scalar === BYTES) {
    const kind = scalar === STRING ? name : `${name} bytes`
    const bytes = bytesFor(kind, world) ?? fc.constant(NOTHING)
    return bytes.map((text) => delimited(number, text))
  }
  if (scalar === BOOL) return fc.nat(1).map((bit) => varint(number, BigInt(bit)))
  const write = (put: (writer: BinaryWriter) => BinaryWriter, type: WireType) =>
    Buffer.from(put(new BinaryWriter().tag(number, type)).finish())
  if (scalar === DOUBLE) {
    return numbers(world).map((value) => write((to) => to.double(value), WireType.Bit64))
  }
  if (scalar === FLOAT)
    return numbers(world).map((value) => write((to) => floatTo(to, value), WireType.Bit32))
  return integers(world).map((value) => {
    const low = BigInt.asIntN(64, value)
    if (FIXED64.includes(scalar)) return write((to) => to.sfixed64(low), WireType.Bit64)
    if (FIXED32.includes(scalar)) {
      return write((to) => to.sfixed32(Number(BigInt.asIntN(32, value))), WireType.Bit32)
    }
    if (ZIGZAG.includes(scalar)) return write((to) => to.sint64(low), WireType.Varint)
    return varint(number, low)
  })
}

/** The writer refuses what is too large for a float. */
function floatTo(writer: BinaryWriter, value: number): BinaryWriter {
  return writer.float(Number.isFinite(value) ? Math.fround(value % 3e38) : value)
}

function entriesOf(field: DescField & { fieldKind: 'map' }, world: World, depth: number): Bytes {
  const key = scalarOf(1, `${field.name} key`, field.mapKey, world)
  const value =
    field.message === undefined
      ? scalarOf(2, `${field.name} value`, field.scalar ?? STRING, world)
      : messageOf(field.message, world, depth + 1).map((bytes) => delimited(2, bytes))
  const entry = fc.tuple(key, value).map((both) => delimited(field.number, Buffer.concat(both)))
  return fc.array(entry, { maxLength: 4 }).map((all) => Buffer.concat(all))
}

export function delimited(number: number, bytes: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(bytes).finish())
}

function varint(number: number, value: bigint | number): Buffer {
  const wide = BigInt.asIntN(64, BigInt(value))
  return Buffer.from(new BinaryWriter().tag(number, WireType.Varint).int64(wide).finish())
}
