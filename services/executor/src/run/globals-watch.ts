/**
 * Looks whether handlers have changed what all code of their thread shares: functions and prototypes of the language, timers, the
 * environment. Whoever runs there next would see it, so the thread is given nothing more.
 *
 * 1. Compared is with what there was when the job modules had been loaded: what these change as they load is theirs to know.
 * 2. It looks when attempts have ended, and soon after the last: often at what is replaced, seldom at what costs more to see.
 * 3. It tells once: such a thread is used up.
 */
// As in reporter.ts.
import { setTimeout } from 'node:timers'
import type { GlobalsChange } from '../domain/attempt.ts'
import { now } from './own-copies.ts'
import { type Shared, sharedByAll } from './shared-by-all.ts'

/** Between two looks at values, and at everything. */
const QUICK_PAUSE_MS = 20
const THOROUGH_PAUSE_MS = 1_000
/** Named in the log. */
const NAMES_MAX = 20

const { apply, getOwnPropertyDescriptor, ownKeys } = Reflect
const { is } = Object

export class GlobalsWatch {
  readonly #tell: (change: GlobalsChange) => void
  readonly #shared = sharedByAll()
  readonly #values = valuesIn(this.#shared)
  /** Whose new properties show in every object. */
  readonly #roots = this.#shared.filter(({ name }) => ROOTS.includes(name))
  readonly #env = process.env
  readonly #envTexts = { ...process.env }
  readonly #listening = DEATHS.map(listenersOf)
  readonly #quick = new Pace(QUICK_PAUSE_MS, () => this.#hasOtherValues() && this.#report())
  readonly #thorough = new Pace(THOROUGH_PAUSE_MS, () => this.#report())
  #methods: string[] = []
  #isOver = false

  constructor(tell: (change: GlobalsChange) => void) {
    this.#tell = tell
  }

  /** Code of this method runs. */
  ran(method: string): void {
    const count = this.#methods.length
    if (count < NAMES_MAX && this.#methods[count - 1] !== method) this.#methods[count] = method
  }

  /** Our own code puts something else there. Where somebody has before, that is told all the same. */
  readonly replaces = (on: object, key: PropertyKey, by: unknown): void => {
    for (const { object, keys, properties } of this.#shared) {
      const at = object === on ? keys.indexOf(key) : -1
      const property = properties[at]
      if (property === undefined || property.value !== object[key as never]) continue
      properties[at] = { ...property, value: by }
    }
    for (const known of this.#values) {
      if (known.object === on && known.key === key && known.value === known.object[key])
        known.value = by
    }
  }

  /** Attempts have ended. */
  look(): void {
    if (this.#isOver) return
    this.#quick.come()
    this.#thorough.come()
  }

  #hasOtherValues(): boolean {
    const values = this.#values
    for (let at = 0; at < values.length; at += 1) {
      const { object, key, value } = values[at] as KnownValue
      if (object[key] !== value) return true
    }
    for (let at = 0; at < this.#roots.length; at += 1) {
      const { object, keys } = this.#roots[at] as Shared
      if (ownKeys(object).length !== keys.length) return true
    }
    return false
  }

  #report(): void {
    if (this.#isOver) return
    const what: string[] = []
    for (let at = 0; at < this.#shared.length; at += 1) addChanges(this.#shared[at] as Shared, what)
    this.#addEnvironment(what)
    this.#addListeners(what)
    if (what.length > 0) {
      this.#isOver = true
      this.#tell({ what, methods: this.#methods })
    }
    this.#methods = []
  }

  #addListeners(what: string[]): void {
    for (let at = 0; at < DEATHS.length; at += 1) {
      const event = DEATHS[at] as Death
      const before = this.#listening[at] as number
      const present = listenersOf(event)
      if (present < before || (present > before && event !== 'exit'))
        add(what, `process.on('${event}')`)
    }
  }

  #addEnvironment(what: string[]): void {
    const env = process.env
    if (env !== this.#env) {
      add(what, 'process.env')
      return
    }
    const before = this.#envTexts
    for (const name in before) if (env[name] !== before[name]) add(what, `process.env.${name}`)
    for (const name in env) if (before[name] === undefined) add(what, `process.env.${name}`)
  }
}

/** Does something when it comes to it, and once more after the last time where that was too soon. */
class Pace {
  readonly #pauseMs: number
  readonly #act: () => void
  #actedAt = Number.NEGATIVE_INFINITY
  #isDue = false

  constructor(pauseMs: number, act: () => void) {
    this.#pauseMs = pauseMs
    this.#act = act
  }

  come(): void {
    if (this.#isDue) return
    const waitMs = this.#actedAt + this.#pauseMs - now()
    if (waitMs <= 0) this.#now()
    else {
      this.#isDue = true
      setTimeout(() => this.#now(), waitMs).unref()
    }
  }

  #now(): void {
    this.#isDue = false
    this.#actedAt = now()
    this.#act()
  }
}

/** How a thread ends by what its code does. Who listens hears it of the code of others; more may be told of the end of the thread itself. */
const DEATHS = ['uncaughtException', 'unhandledRejection', 'exit'] as const
type Death = (typeof DEATHS)[number]

const { listenerCount } = process
const listenersOf = (event: Death): number => apply(listenerCount, process, [event])

const ROOTS: readonly string[] = ['Object.prototype', 'Function.prototype', 'Array.prototype']

interface KnownValue {
  readonly object: Readonly<Record<PropertyKey, unknown>>
  readonly key: PropertyKey
  value: unknown
}

function valuesIn(shared: readonly Shared[]): KnownValue[] {
  return shared.flatMap(({ object, keys, properties }) =>
    keys.flatMap((key, at) => {
      const { value } = properties[at] ?? {}
      return typeof value === 'function' ? [{ object: object as never, key, value }] : []
    }),
  )
}

function addChanges({ name, object, keys, properties, isClosed }: Shared, what: string[]): void {
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at] as PropertyKey
    const before = properties[at]
    const { value, get, set } = getOwnPropertyDescriptor(object, key) ?? {}
    if (is(before?.value, value) && before?.get === get && before?.set === set) continue
    add(what, nameOf(name, key))
  }
  if (!isClosed) return
  const present = ownKeys(object)
  for (let at = keys.length; at < present.length; at += 1) {
    add(what, nameOf(name, present[at] as PropertyKey))
  }
}

function add(what: string[], name: string): void {
  if (what.length < NAMES_MAX) what[what.length] = name
}

function nameOf(name: string, key: PropertyKey): string {
  if (typeof key === 'symbol') return `${name}[${key.description}]`
  return name === '' ? `${key}` : `${name}.${key}`
}
