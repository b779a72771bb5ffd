import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { createValuesStore, type ReusableOptions, reusable } from './mod.ts'

function remember<T>(compute: () => T, options: ReusableOptions<[], T> = {}) {
  const store = createValuesStore()
  const f = reusable(compute, { name: 'f', ...options, store })
  return { f, [Symbol.dispose]: () => store.close() }
}

describe('deep freezing, the default', () => {
  test('every part of a value is frozen and everybody gets the same object', () => {
    using it = remember(() => ({ rows: [{ id: 1, tags: ['a'] }], none: null }))
    const value = it.f()
    expect(it.f()).toBe(value)
    for (const part of [value, value.rows, value.rows[0], value.rows[0]?.tags]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  test('a part that is frozen already does not hide an open one below it', () => {
    using it = remember(() => Object.freeze({ inner: { open: 1 } }))
    expect(Object.isFrozen(it.f().inner)).toBe(true)
  })

  test('a value that contains itself is frozen', () => {
    using it = remember(() => {
      const ring: { self?: unknown } = {}
      ring.self = ring
      return ring
    })
    expect(Object.isFrozen(it.f())).toBe(true)
  })

  test('symbol and non-enumerable properties are frozen too', () => {
    const key = Symbol('key')
    using it = remember(() => {
      const value = { [key]: { open: 1 } }
      return Object.defineProperty(value, 'hidden', { value: { open: 1 } }) as typeof value & {
        hidden: object
      }
    })
    expect(Object.isFrozen(it.f()[key])).toBe(true)
    expect(Object.isFrozen(it.f().hidden)).toBe(true)
  })

  test('what is named on an array with holes is frozen too', () => {
    using it = remember(() => {
      const list = Object.assign(new Array<number>(2), { about: { open: 1 } })
      list[1] = 1
      return list
    })
    expect(Object.isFrozen(it.f())).toBe(true)
    expect(Object.isFrozen(it.f().about)).toBe(true)
  })

  test('a Date inside stays a Date and refuses to be set', () => {
    using it = remember(() => ({ at: new Date(5) }))
    const { at } = it.f()
    expect(at).toBe(it.f().at)
    expect(at).toBeInstanceOf(Date)
    expect(JSON.stringify(at)).toBe('"1970-01-01T00:00:00.005Z"')
    expect(structuredClone(at)).toEqual(new Date(5))
    expect(() => at.setTime(6)).toThrow('it is shared')
    expect(at.getTime()).toBe(5)
  })
})

const moduleUrl = 'data:text/javascript,export const a = 1'
const namespace: unknown = await import(moduleUrl)

function memoryAndView() {
  const buffer = new ArrayBuffer(8)
  return { buffer, view: new Uint8Array(buffer) }
}

class Account {
  #balance = 1
  get balance() {
    return this.#balance
  }
}

describe('what cannot be frozen', () => {
  const builtIns: [string, () => object][] = [
    ['a Map', () => new Map([['a', 1]])],
    ['a Set', () => new Set([1])],
    ['a RegExp', () => /a/g],
    ['a Buffer', () => Buffer.from('a')],
    ['a typed array', () => new Float64Array([1])],
    ['an ArrayBuffer', () => new ArrayBuffer(1)],
    ['a DataView', () => new DataView(new ArrayBuffer(1))],
    [
      'a structure around a Map',
      () => ({ at: new Date(0), list: [new Map([[{ k: 1 }, { v: 1 }]])] }),
    ],
  ]
  const opaque: [string, () => unknown][] = [
    ['a class instance', () => new Account()],
    ['a structure around a class instance', () => ({ account: new Account() })],
    ['a function', () => () => 1],
    [
      'an object with an accessor',
      () => ({
        get now() {
          return 1
        },
      }),
    ],
    ['a subclass of Map', () => new (class extends Map {})()],
    ['a Map with a function inside', () => new Map([['a', () => 1]])],
    ['an error', () => new Error('a')],
    ['a proxy', () => new Proxy({}, {})],
    ['shared memory', () => new Uint8Array(new SharedArrayBuffer(1))],
    ['a Map with a property of its own', () => Object.assign(new Map(), { extra: 1 })],
    ['a promise inside', () => ({ later: Promise.resolve(1) })],
    ['an array with an accessor', () => Object.defineProperty([1], 0, { get: () => 1 })],
    ['a subclass of Array', () => new (class extends Array {})()],
    ['a Map without its prototype', () => Object.setPrototypeOf(new Map(), null)],
    ['memory and a view of it', () => memoryAndView()],
    ['a RegExp with a property of its own', () => Object.assign(/a/, { extra: 1 })],
  ]

  test.each([...builtIns, ...opaque])(
    '%s bypasses memory when asked for: computed again for each caller',
    (_, make) => {
      using it = remember(make, { unfreezable: 'bypass' })
      expect(it.f()).not.toBe(it.f())
      expect(it.f.statistics()).toMatchObject({ refused: 2, entries: 0 })
    },
  )

  test.each(builtIns)('%s is copied for each caller when asked for', (_, make) => {
    using it = remember(make, { unfreezable: 'copy' })
    const first = it.f()
    const second = it.f()
    const third = it.f()
    expect(new Set([first, second, third]).size).toBe(3)
    expect(second).toStrictEqual(make())
    expect(third).toStrictEqual(second)
    expect(it.f.statistics()).toMatchObject({ misses: 1, hits: 2 })
  })

  test.each(opaque)('%s is an error even when copies are asked for', (_, make) => {
    using it = remember(make, { unfreezable: 'copy' })
    expect(() => it.f()).toThrow('The value of f cannot be frozen: it holds ')
    expect(it.f.statistics()).toMatchObject({ refused: 1, entries: 0 })
  })

  test.each([...builtIns, ...opaque])('%s is an error', async (_, make) => {
    using it = remember(make)
    expect(() => it.f()).toThrow('The value of f cannot be frozen: it holds')
    expect(it.f.statistics()).toMatchObject({ refused: 1, entries: 0 })
    using later = remember(async () => make())
    const calls = await Promise.allSettled([later.f(), later.f()])
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test.each([
    ['a module namespace', () => namespace, 'a module namespace'],
    ['what only looks like a Map', () => Object.create(Map.prototype), 'a Map'],
    ['a class instance', () => new Account(), 'an Account'],
    ['a structure of another realm', () => runInNewContext('({})'), 'an Object of another realm'],
  ])('%s is an error that names it, and bypasses memory when asked for', (_, make, named) => {
    using it = remember(make)
    expect(() => it.f()).toThrow(`it holds ${named}. Return plain data, or pass { freeze: 'none' }`)
    using other = remember(make, { unfreezable: 'bypass' })
    other.f()
    expect(other.f.statistics()).toMatchObject({ refused: 1, entries: 0 })
  })

  test('a change by one caller of a copied value reaches nobody', () => {
    using it = remember(() => new Map([['a', { n: 1 }]]), { unfreezable: 'copy' })
    it.f().clear()
    it.f().set('b', { n: 2 })
    const part = it.f().get('a')
    if (part !== undefined) part.n = 3
    expect(it.f()).toEqual(new Map([['a', { n: 1 }]]))
  })

  test('a refused value is left untouched', () => {
    const value = { inner: { open: 1 }, map: new Map() }
    using it = remember(() => value)
    expect(() => it.f()).toThrow(TypeError)
    expect(Object.isFrozen(value)).toBe(false)
    expect(Object.isFrozen(value.inner)).toBe(false)
  })

  test('callers who waited for a value that bypasses memory each compute their own', async () => {
    using it = remember(async () => new Map(), { unfreezable: 'bypass' })
    const values = await Promise.all([it.f(), it.f(), it.f()])
    expect(new Set(values).size).toBe(3)
  })

  test('a Date frozen by somebody else is copied, since it can still be set', () => {
    using it = remember(() => ({ at: Object.freeze(new Date(5)) }), { unfreezable: 'copy' })
    it.f().at.setTime(6)
    expect(it.f().at).toEqual(new Date(5))
  })

  test('a copy of a very deep value needs no deep stack', () => {
    using it = remember(deepMap, { unfreezable: 'copy' })
    let depth = 0
    for (let map: Map<string, unknown> | undefined = it.f(); map; depth++) {
      map = map.get('next') as Map<string, unknown> | undefined
    }
    expect(depth).toBe(50_001)
  })

  test('callers who waited for a copied value each get a copy', async () => {
    let runs = 0
    using it = remember(async () => new Map([['runs', ++runs]]), { unfreezable: 'copy' })
    const values = await Promise.all([it.f(), it.f(), it.f()])
    expect(new Set([...values, await it.f(), await it.f()]).size).toBe(5)
    expect(runs).toBe(1)
  })
})

describe('shallow and no freezing', () => {
  test('shallow freezes the outermost object and shares what it holds as it is', () => {
    using it = remember(() => ({ inner: { open: 1 }, map: new Map() }), { freeze: 'shallow' })
    expect(it.f()).toBe(it.f())
    expect(Object.isFrozen(it.f())).toBe(true)
    expect(Object.isFrozen(it.f().inner)).toBe(false)
  })

  test.each([
    ['a Map', () => new Map()],
    ['a class instance', () => new Account()],
    ['a function', () => () => 1],
    [
      'an accessor',
      () => ({
        get now() {
          return 1
        },
      }),
    ],
    ['a subclass of Array', () => new (class extends Array {})()],
    ['a proxy', () => new Proxy({}, {})],
    ['an array with an accessor', () => Object.defineProperty([1], 0, { get: () => 1 })],
  ])('shallow refuses %s, which freezing does not protect', (_, make: () => unknown) => {
    using it = remember(make, { freeze: 'shallow' })
    expect(() => it.f()).toThrow(TypeError)
    expect(it.f.statistics()).toMatchObject({ refused: 1, entries: 0 })
  })

  test('none shares whatever it is', () => {
    using it = remember(() => new Map(), { freeze: 'none' })
    expect(it.f()).toBe(it.f())
  })
})

describe('what is never remembered', () => {
  test('a void result is computed again, null is remembered', () => {
    let runs = 0
    using procedure = remember(() => void runs++)
    procedure.f()
    procedure.f()
    expect(runs).toBe(2)
    expect(procedure.f.statistics()).toMatchObject({ voids: 2, entries: 0 })
    using nothing = remember(() => {
      runs++
      return null
    })
    expect([nothing.f(), nothing.f(), runs]).toEqual([null, null, 3])
  })

  test('an error is computed again, thrown or rejected', async () => {
    let runs = 0
    using thrown = remember(() => {
      if (++runs < 2) throw new Error('no luck')
      return runs
    })
    expect(() => thrown.f()).toThrow('no luck')
    expect(thrown.f()).toBe(2)
    using rejected = remember(async () => {
      if (++runs < 4) throw new Error('no luck')
      return runs
    })
    await expect(rejected.f()).rejects.toThrow('no luck')
    expect(await rejected.f()).toBe(4)
    expect(rejected.f.statistics()).toMatchObject({ failures: 1, misses: 2 })
  })
})

function deepMap() {
  let map = new Map<string, unknown>()
  for (let i = 0; i < 50_000; i++) map = new Map([['next', map]])
  return map
}
