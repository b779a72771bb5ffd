import type { MethodDefinition } from '../domain/method-definition.ts'
import type { MethodStore } from '../ports.ts'

/**
 * The methods each namespace knows: what executors have announced, here or on other replicas, now or before. A method that
 * is not known is looked up in the database.
 */
export class Methods {
  readonly #store: MethodStore
  readonly #byNamespace = new Map<string, Map<string, MethodDefinition>>()
  /** Look-ups in flight: what is asked meanwhile joins them. */
  readonly #reading = new Map<string, Promise<void>>()

  constructor(store: MethodStore) {
    this.#store = store
  }

  async announce(namespace: string, definitions: readonly MethodDefinition[]): Promise<void> {
    await this.#store.announce(namespace, definitions)
    const known = this.#known(namespace)
    for (const definition of definitions) known.set(definition.name, definition)
  }

  /** Known to this replica already. */
  peek(namespace: string, method: string): MethodDefinition | undefined {
    return this.#byNamespace.get(namespace)?.get(method)
  }

  async find(namespace: string, method: string): Promise<MethodDefinition | undefined> {
    const found = this.peek(namespace, method)
    if (found !== undefined) return found
    const reading = this.#reading.get(namespace) ?? this.#read(namespace)
    this.#reading.set(namespace, reading)
    await reading
    return this.peek(namespace, method)
  }

  async #read(namespace: string): Promise<void> {
    try {
      const definitions = await this.#store.read(namespace)
      const known = definitions.length === 0 ? undefined : this.#known(namespace)
      for (const definition of definitions) known?.set(definition.name, definition)
    } finally {
      this.#reading.delete(namespace)
    }
  }

  names(namespace: string): string[] {
    return [...(this.#byNamespace.get(namespace)?.keys() ?? [])].sort()
  }

  #known(namespace: string): Map<string, MethodDefinition> {
    let known = this.#byNamespace.get(namespace)
    if (known === undefined) {
      known = new Map()
      this.#byNamespace.set(namespace, known)
    }
    return known
  }
}
