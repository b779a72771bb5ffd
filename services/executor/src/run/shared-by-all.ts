/** What all code of a thread shares, and nobody is to change for the others. */
import { EventEmitter } from 'node:events'
import { MessagePort } from 'node:worker_threads'

/** One object, as it was. */
export interface Shared {
  /** As in `Map.prototype`; empty for the global object. */
  readonly name: string
  readonly object: object
  readonly keys: readonly PropertyKey[]
  /** By the places of `keys`. */
  readonly properties: PropertyDescriptor[]
  /** Whether more properties than these are a change: values of everybody's inherit them. */
  readonly isClosed: boolean
}

const CLASSES = [
  ...['Object', 'Function', 'Array', 'String', 'Number', 'Boolean', 'BigInt', 'Symbol', 'RegExp'],
  ...['Date', 'Promise', 'Map', 'Set', 'WeakMap', 'WeakSet', 'WeakRef', 'Proxy', 'Error'],
  ...['TypeError', 'RangeError', 'AggregateError', 'ArrayBuffer', 'SharedArrayBuffer', 'DataView'],
  ...['Uint8Array', 'Int32Array', 'Float64Array', 'Buffer', 'AbortController', 'AbortSignal'],
  ...['EventTarget', 'Event', 'URL', 'URLSearchParams', 'TextEncoder', 'TextDecoder'],
]
const NAMESPACES = ['JSON', 'Math', 'Reflect', 'Atomics']
const FUNCTIONS = [
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval'],
  ...['clearImmediate', 'queueMicrotask', 'structuredClone'],
]

/** Set for one call by tools and by Node itself. */
const PASSING: readonly PropertyKey[] = ['stackTraceLimit', 'prepareStackTrace']

/** As it is now. */
export function sharedByAll(): Shared[] {
  const classes = CLASSES.map((name) => [name, Reflect.get(globalThis, name)] as const)
  return [
    sharedAs('', globalThis, [...CLASSES, ...NAMESPACES, ...FUNCTIONS]),
    ...NAMESPACES.map((name) => sharedAs(name, Reflect.get(globalThis, name))),
    ...classes.flatMap(([name, given]) => ofClass(name, given)),
    ...ofClass('EventEmitter', EventEmitter),
    ...ofClass('MessagePort', MessagePort),
    ...ofClass('TypedArray', Reflect.getPrototypeOf(Uint8Array) as { prototype: object }),
    ...iterators().map(([name, prototype]) => sharedAs(name, prototype)),
  ]
}

function ofClass(name: string, given: { readonly prototype?: object }): Shared[] {
  const own = sharedAs(name, given)
  // Proxy has none.
  if (given.prototype === undefined) return [own]
  return [own, sharedAs(`${name}.prototype`, given.prototype)]
}

function iterators(): [name: string, prototype: object][] {
  const generator = (function* () {})()
  const stream = (async function* () {})()
  const kinds: [string, object][] = [
    ['ArrayIterator', [].values()],
    ['MapIterator', new Map().values()],
    ['SetIterator', new Set().values()],
    ['StringIterator', ''[Symbol.iterator]()],
    ['Generator', above(generator)],
    ['AsyncGenerator', above(stream)],
  ]
  return kinds.map(([name, iterator]) => [`${name}.prototype`, above(iterator)])
}

function above(object: object): object {
  return Reflect.getPrototypeOf(object) as object
}

function sharedAs(name: string, object: object, only?: readonly string[]): Shared {
  const all: readonly PropertyKey[] = only ?? Reflect.ownKeys(object)
  const keys = all.filter((key) => name !== 'Error' || !PASSING.includes(key))
  const properties = keys.map((key) => Reflect.getOwnPropertyDescriptor(object, key) ?? {})
  return { name, object, keys, properties, isClosed: name.endsWith('.prototype') }
}
