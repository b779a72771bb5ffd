import type { types } from 'node:util'

/** What is used of AsyncLocalStorage. */
export interface Context<T> {
  getStore(): T | undefined
  run<Args extends unknown[], R>(store: T, fn: (...args: Args) => R, ...args: Args): R
}
export interface ContextClass {
  new <T>(): Context<T>
  snapshot(): <Args extends unknown[], R>(fn: (...args: Args) => R, ...args: Args) => R
}

/** What is used of AsyncResource. */
export interface ResourceClass {
  new (
    type: string,
    options?: { requireManualDestroy?: boolean },
  ): { runInAsyncScope<R>(fn: () => R): R }
}

/** AsyncLocalStorage as far as it goes without a runtime's help: until the callback returns. */
export class PageContext<T> implements Context<T> {
  #store: T | undefined

  static snapshot(): <Args extends unknown[], R>(fn: (...args: Args) => R, ...args: Args) => R {
    return (fn, ...args) => fn(...args)
  }

  getStore(): T | undefined {
    return this.#store
  }

  run<Args extends unknown[], R>(store: T, fn: (...args: Args) => R, ...args: Args): R {
    const before = this.#store
    this.#store = store
    try {
      return fn(...args)
    } finally {
      this.#store = before
    }
  }
}

/** AsyncResource where no context outlives a callback: there is nothing to put back. */
export class PageResource {
  runInAsyncScope<R>(fn: () => R): R {
    return fn()
  }
}

/** Tells what an object is by a method that only the like of it have: it throws on others. */
function brandOf(method: ((this: never) => unknown) | undefined) {
  return (value: unknown): boolean => {
    if (method === undefined) return false
    try {
      method.call(value as never)
      return true
    } catch {
      return false
    }
  }
}

const getter = (prototype: object | undefined, name: string) =>
  prototype && Object.getOwnPropertyDescriptor(prototype, name)?.get
const tag = (value: unknown) => Object.prototype.toString.call(value)

const isArrayBuffer = brandOf(getter(ArrayBuffer.prototype, 'byteLength'))
const { SharedArrayBuffer: Shared } = globalThis as { SharedArrayBuffer?: { prototype: object } }
const isSharedArrayBuffer = brandOf(getter(Shared?.prototype, 'byteLength'))
const boxed = [Number, String, Boolean, Symbol, BigInt].map((each) =>
  brandOf(each.prototype.valueOf),
)

/** Of `types` of node:util as much as is used here. */
export const BROWSER_TYPES = {
  isAnyArrayBuffer: (value) => isArrayBuffer(value) || isSharedArrayBuffer(value),
  isAsyncFunction: (value) => tag(value) === '[object AsyncFunction]',
  isBoxedPrimitive: (value) => typeof value === 'object' && boxed.some((is) => is(value)),
  isDate: brandOf(Date.prototype.getTime),
  isMap: brandOf(getter(Map.prototype, 'size')),
  isModuleNamespaceObject: (value) => tag(value) === '[object Module]',
  isPromise: (value) => value instanceof Promise,
  isProxy: () => false,
  isRegExp: brandOf(getter(RegExp.prototype, 'source')),
  isSet: brandOf(getter(Set.prototype, 'size')),
  isSharedArrayBuffer,
  isWeakMap: brandOf(function (this: WeakMap<object, unknown>) {
    return WeakMap.prototype.has.call(this, {})
  }),
  isWeakSet: brandOf(function (this: WeakSet<object>) {
    return WeakSet.prototype.has.call(this, {})
  }),
} satisfies Partial<
  Record<keyof typeof types, (value: unknown) => boolean>
> as object as typeof types
