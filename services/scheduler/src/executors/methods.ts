/**
 * The methods each namespace knows: what executors have announced, here or on other replicas, now or before. The database
 * has them all; of those used last their terms are kept here.
 *
 * Invariants:
 *  1. No more than `keptMax` are kept: in two generations, of which the older is dropped when the younger is full, and
 *     what was used meanwhile has moved to the younger.
 *  2. Descriptions and schemas of results, which may be large, are not kept at all; schemas of parameters up to a bound of all.
 *  3. What was announced elsewhere is known here after one `refresh` at most.
 */

import type { FoundMethod } from '../domain/known-method.ts'
import type { MethodDefinition, MethodTerms } from '../domain/method-definition.ts'
import type { MethodStore } from '../ports/executors.ts'
import { overloaded } from '../refusals.ts'
import { createBatcher } from '../statements/batcher.ts'

/** Some 300 bytes each. */
const KEPT_MAX = 100_000
/** Methods read again by one statement. */
const REFRESH_BATCH = 1_000

/** Of the schemas of one generation. */
const SCHEMA_CHARACTERS_MAX = 16 * 1024 * 1024

type Generation = Map<string, Map<string, MethodTerms>>

interface MethodName {
  readonly namespace: string
  readonly name: string
}

export class Methods {
  readonly #store: MethodStore
  readonly #generationMax: number
  #young: Generation = new Map()
  #youngSize = 0
  #youngCharacters = 0
  #old: Generation = new Map()
  /** Look-ups that come while one is in flight share the next. */
  readonly #find
  readonly #listing = new Map<string, Promise<string[]>>()

  constructor(store: MethodStore, keptMax = KEPT_MAX) {
    this.#store = store
    this.#generationMax = Math.ceil(keptMax / 2)
    this.#find = createBatcher<MethodName, FoundMethod | undefined>({
      run: (names) => store.find(names),
      maxItems: 1_000,
      maxQueued: 50_000,
      overflow: () => overloaded('look-ups of methods'),
    })
  }

  /** True: limits are others by it (row J20). */
  async announce(namespace: string, definitions: readonly MethodDefinition[]): Promise<boolean> {
    const { earlier, limitsChanged } = await this.#store.announce(namespace, definitions)
    for (const definition of definitions) {
      const earlierParamsSchemas = earlier.get(definition.name)
      const terms = termsOf(definition)
      this.#keep(namespace, earlierParamsSchemas ? { ...terms, earlierParamsSchemas } : terms)
    }
    return limitsChanged
  }

  /** Known to this replica already. */
  peek(namespace: string, method: string): MethodTerms | undefined {
    const found = this.#young.get(namespace)?.get(method)
    if (found !== undefined) return found
    const older = this.#old.get(namespace)?.get(method)
    if (older !== undefined) this.#keep(namespace, older)
    return older
  }

  async find(namespace: string, method: string): Promise<FoundMethod | undefined> {
    const [found] = await this.#find.add([{ namespace, name: method }])
    if (found !== undefined && !('unreadable' in found)) this.#keep(namespace, found)
    return found
  }

  forgetEarlier(): Promise<void> {
    return this.#store.forgetEarlier()
  }

  /** Reads what is kept again: other replicas announce methods too. */
  readonly refresh = async (signal?: AbortSignal): Promise<void> => {
    for (const generation of [this.#old, this.#young]) {
      const kept = [...generation].flatMap(([namespace, known]) =>
        [...known.values()].map((terms) => ({ namespace, name: terms.name, terms })),
      )
      for (let from = 0; from < kept.length && !signal?.aborted; from += REFRESH_BATCH) {
        const batch = kept.slice(from, from + REFRESH_BATCH)
        const read = await this.#store.find(batch)
        for (const [index, { namespace, name, terms }] of batch.entries()) {
          const known = generation.get(namespace)
          const now = read[index]
          // What was announced here meanwhile is newer than what was read.
          if (now === undefined || 'unreadable' in now) continue
          if (known?.get(name) === terms) known.set(name, now)
        }
      }
    }
  }

  /** The first of the known names, for hints. */
  names(namespace: string): Promise<string[]> {
    let listing = this.#listing.get(namespace)
    if (listing === undefined) {
      listing = this.#store.names(namespace).finally(() => this.#listing.delete(namespace))
      this.#listing.set(namespace, listing)
    }
    return listing
  }

  #keep(namespace: string, terms: MethodTerms): void {
    let known = this.#young.get(namespace)
    if (known === undefined) {
      known = new Map()
      this.#young.set(namespace, known)
    }
    if (!known.has(terms.name)) this.#youngSize += 1
    known.set(terms.name, terms)
    this.#youngCharacters += charactersOf(terms)
    const isFull =
      this.#youngSize >= this.#generationMax || this.#youngCharacters >= SCHEMA_CHARACTERS_MAX
    if (!isFull) return
    this.#old = this.#young
    this.#young = new Map()
    this.#youngSize = 0
    this.#youngCharacters = 0
  }
}

function termsOf(definition: MethodDefinition): MethodTerms {
  const { description: _d, resultSchema: _r, limits: _l, ...terms } = definition
  return terms
}

function charactersOf(terms: MethodTerms): number {
  const { paramsSchema = '', earlierParamsSchemas = [], labelExpressions = {} } = terms
  const texts = [...earlierParamsSchemas, ...Object.values(labelExpressions)]
  return texts.reduce((sum, { length }) => sum + length, paramsSchema.length)
}
