/** Files that runs open. Only `fs` itself knows of them, so its functions are replaced while this is on. */
import fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { type Made, made } from './place.ts'
import { quietly } from './quietly.ts'
import { type Candidate, type RunLeaks, runLeaks } from './run-leaks.ts'

type Call = (...args: unknown[]) => unknown

export class Descriptors {
  /** By number. */
  readonly #open = new Map<number, { readonly of: Set<Candidate>; readonly candidate: Candidate }>()
  readonly #restore: (() => void)[] = []

  start(): void {
    const functions = fs as unknown as Record<string, Call>
    this.#replace(functions, 'openSync', (openSync) => this.#openingSync(openSync))
    this.#replace(functions, 'open', (open) => this.#opening(open))
    this.#replace(functions, 'close', (close) => this.#closing(close))
    this.#replace(functions, 'closeSync', (close) => this.#closing(close))
    const promises = fs.promises as unknown as Record<string, Call>
    this.#replace(promises, 'open', (open) => openingHandle(open))
    syncBuiltinESMExports()
  }

  stop(): void {
    for (const restore of this.#restore.splice(0)) restore()
    syncBuiltinESMExports()
    this.#open.clear()
  }

  #replace(functions: Record<string, Call>, name: string, by: (before: Call) => Call): void {
    const before = functions[name] as Call
    const now = by(before.bind(functions))
    functions[name] = now
    this.#restore.push(() => {
      // What somebody else has put there since stays.
      if (functions[name] === now) functions[name] = before
    })
  }

  #openingSync(openSync: Call): Call {
    const opened = (of: RunLeaks, fd: unknown, at: Made) => this.#opened(of, fd, at)
    return function noting(...args) {
      const fd = openSync(...args)
      const of = runLeaks()?.tracked
      if (of !== undefined) quietly(() => opened(of, fd, made(noting)))
      return fd
    }
  }

  #opening(open: Call): Call {
    const opened = (of: RunLeaks, fd: unknown, at: Made) => this.#opened(of, fd, at)
    return function noting(...args) {
      const of = runLeaks()?.tracked
      const done = args.at(-1)
      if (of === undefined || typeof done !== 'function') return open(...args)
      const at = quietly(() => made(noting), {})
      return open(...args.slice(0, -1), (error: unknown, fd: unknown) => {
        if (error === null) quietly(() => opened(of, fd, at))
        return done(error, fd)
      })
    }
  }

  #closing(close: Call): Call {
    return (...args) => {
      quietly(() => this.#closed(Number(args[0])))
      return close(...args)
    }
  }

  #opened({ candidates: of }: RunLeaks, fd: unknown, at: Made): void {
    const number = Number(fd)
    const isOpen = () => this.#open.get(number)?.candidate === candidate
    const candidate: Candidate = { kind: 'file', made: at, isOpen }
    of.add(candidate)
    this.#open.set(number, { of, candidate })
  }

  #closed(fd: number): void {
    const opened = this.#open.get(fd)
    if (opened === undefined) return
    this.#open.delete(fd)
    opened.of.delete(opened.candidate)
  }
}

/** Of `fs.promises`. A handle that nobody holds any more is closed by Node. */
function openingHandle(open: Call): Call {
  return async function noting(...args) {
    const of = runLeaks()?.tracked
    if (of === undefined) return open(...args)
    const at = quietly(() => made(noting), {})
    const handle = (await open(...args)) as FileHandle
    quietly(() => {
      const held = new WeakRef(handle)
      of.candidates.add({ kind: 'file', made: at, isOpen: () => (held.deref()?.fd ?? -1) >= 0 })
    })
    return handle
  }
}
