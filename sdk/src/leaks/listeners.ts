/**
 * Listeners that runs add to emitters and event targets older than they are. How old one is nobody says: it is taken for a part of the run
 * that first adds a listener to it, and for older by all others.
 */
import { EventEmitter, getEventListeners } from 'node:events'
import { made } from './place.ts'
import { quietly } from './quietly.ts'
import { type Candidate, runLeaks } from './run-leaks.ts'

/** Told of what is put in the place of what, before it is. */
export type Replaces = (object: object, key: PropertyKey, by: unknown) => void

type Add = (this: object, type: never, listener: never, ...more: never[]) => unknown

const OUTSIDE = 0

export class Listeners {
  readonly #replaces: Replaces
  /** By number, the run that an emitter belongs to. */
  #owners = new WeakMap<object, number>()
  readonly #restore: (() => void)[] = []

  constructor(replaces: Replaces) {
    this.#replaces = replaces
  }

  start(): void {
    this.#owners = new WeakMap([[process, OUTSIDE]])
    const { prototype } = EventEmitter
    const add = this.#noting(prototype.on as Add)
    this.#replace(prototype, 'on', add)
    this.#replace(prototype, 'addListener', add)
    this.#replace(prototype, 'prependListener', this.#noting(prototype.prependListener as Add))
    const targets = EventTarget.prototype
    this.#replace(targets, 'addEventListener', this.#noting(targets.addEventListener as Add))
  }

  stop(): void {
    for (const restore of this.#restore.splice(0)) restore()
  }

  #replace<K extends string>(object: Record<K, unknown>, key: K, by: unknown): void {
    const before = object[key]
    this.#replaces(object, key, by)
    object[key] = by
    this.#restore.push(() => {
      // What somebody else has put there since stays.
      if (object[key] !== by) return
      this.#replaces(object, key, before)
      object[key] = before
    })
  }

  #noting(add: Add): Add {
    const note = (target: object, type: string, listener: object, until: Add) =>
      this.#note(target, type, listener, until)
    return function noting(this: object, ...args) {
      const [type, listener] = args as unknown as [string, object]
      quietly(() => note(this, type, listener, noting))
      return Reflect.apply(add, this, args)
    }
  }

  #note(target: object, type: string, listener: object, until: Add): void {
    // What cannot be one is refused by what adds it.
    const isTarget = (typeof target === 'object' && target !== null) || typeof target === 'function'
    if (!isTarget || listener === null || typeof listener !== 'function') return
    const of = runLeaks()
    const number = of?.rootNumber ?? OUTSIDE
    const owner = this.#owners.get(target)
    if (owner === undefined) this.#owners.set(target, number)
    else if (owner !== number && of?.tracked?.isFull === false) {
      of.tracked.candidates.add(added(target, type, listener, until))
    }
  }
}

function added(target: object, type: string, listener: object, until: Add): Candidate {
  const held = new WeakRef(target)
  const given = new WeakRef('listener' in listener ? (listener.listener as object) : listener)
  return {
    kind: 'listener',
    made: made(until),
    isOpen: () => {
      const [there, own] = [held.deref(), given.deref()]
      if (there === undefined || own === undefined) return false
      return getEventListeners(there as EventEmitter, type).includes(own as never)
    },
  }
}
