/**
 * What reusable values take of Node where there is Node. Asked for at run time: a bundler for browsers meets no import
 * of it. In a browser there is one user, and what stands in does as much as a page can: a context reaches as far as
 * its callback runs without waiting, cycles are found as far as that, and a proxy passes for what it stands for.
 */
import {
  BROWSER_TYPES,
  type ContextClass,
  PageContext,
  PageResource,
  type ResourceClass,
} from './browser-runtime.ts'

const { process } = globalThis as { process?: Partial<Pick<NodeJS.Process, 'getBuiltinModule'>> }
const hooks = process?.getBuiltinModule?.('node:async_hooks')
const v8 = process?.getBuiltinModule?.('node:v8')

export const AsyncLocalStorage: ContextClass = hooks?.AsyncLocalStorage ?? PageContext
export const AsyncResource: ResourceClass = hooks?.AsyncResource ?? PageResource
export const types = process?.getBuiltinModule?.('node:util').types ?? BROWSER_TYPES

/** How much of the heap is in use, from 0 to 1; 0 where nobody can know. */
export function heapRatio(): number {
  if (v8 === undefined) return 0
  const { used_heap_size, heap_size_limit } = v8.getHeapStatistics()
  return used_heap_size / heap_size_limit
}

const { Buffer } = globalThis as { Buffer?: typeof globalThis.Buffer }

/** The prototype of Buffer, where there is such a thing. */
export const BUFFER_PROTOTYPES: readonly object[] = Buffer === undefined ? [] : [Buffer.prototype]

/** A copy of a Buffer as one; undefined for all else. */
export function copyBuffer(value: object): object | undefined {
  return isBuffer(value) ? Buffer?.from(value as Uint8Array) : undefined
}

export function isBuffer(value: unknown): boolean {
  return Buffer?.isBuffer(value) ?? false
}
