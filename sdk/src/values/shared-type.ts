/** Types of what callers get, by what is frozen of it (row C5). */
import type { FreezeMode } from './share.ts'

// biome-ignore lint/suspicious/noConfusingVoidType: functions without a result have it
type Scalar = string | number | boolean | bigint | symbol | null | undefined | void
type AnyFunction = ((...args: never) => unknown) | (abstract new (...args: never) => unknown)

/** Any and unknown. */
type IsAnything<T> = unknown extends T ? true : false
type IsMethod<T> =
  IsAnything<T> extends true
    ? false
    : [T] extends [never]
      ? false
      : T extends AnyFunction
        ? true
        : false
type HasMethods<T> = true extends { [K in keyof T]-?: IsMethod<T[K]> }[keyof T] ? true : false

/**
 * What deep freezing does not touch: functions, and whatever has methods, such as Dates, Maps, Sets, buffers and
 * instances of classes. A Date stays a Date though the shared one refuses to be set; the rest is refused or copied.
 */
type IsAsItIs<T> = T extends Scalar | AnyFunction | Error
  ? true
  : T extends readonly unknown[]
    ? false
    : HasMethods<T>

/** `T` with every property and element readonly, all the way down. */
export type DeepReadonly<T> =
  IsAnything<T> extends true
    ? T
    : T extends unknown
      ? IsAsItIs<T> extends true
        ? T
        : { readonly [K in keyof T]: DeepReadonly<T[K]> }
      : never

/** `T` with its own properties or elements readonly. */
type ShallowReadonly<T> =
  IsAnything<T> extends true
    ? T
    : T extends unknown
      ? IsAsItIs<T> extends true
        ? T
        : { readonly [K in keyof T]: T[K] }
      : never

/** A value as its callers may use it. */
export type Shared<V, F extends FreezeMode> = F extends 'none'
  ? V
  : F extends 'shallow'
    ? ShallowReadonly<V>
    : DeepReadonly<V>

/** What a reusable function returns in place of `R`. */
export type SharedResult<R, F extends FreezeMode> =
  IsAnything<R> extends true
    ? R
    : R extends PromiseLike<infer V>
      ? Promise<Shared<V, F>>
      : Shared<R, F>
