/**
 * What was opened, to be closed in the reverse order: AsyncDisposableStack, as far as it is needed here. Node 22 has
 * none, and `offstage dev` runs on it.
 */
export class Resources implements AsyncDisposable {
  #opened: (AsyncDisposable | Disposable)[] = []

  /** Takes it over, and answers it. */
  use<Resource extends AsyncDisposable | Disposable>(resource: Resource): Resource {
    this.#opened.push(resource)
    return resource
  }

  /** Hands all of it to another owner: nothing is left here to close. */
  move(): Resources {
    const moved = new Resources()
    moved.#opened = this.#opened.splice(0)
    return moved
  }

  /** Closes all of it, the latest first, whatever of it fails to close. */
  async [Symbol.asyncDispose](): Promise<void> {
    const faults: unknown[] = []
    for (const resource of this.#opened.splice(0).reverse()) {
      try {
        if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
        else resource[Symbol.dispose]()
      } catch (fault) {
        faults.push(fault)
      }
    }
    if (faults.length > 1) throw new AggregateError(faults, faults.map(String).join('; '))
    if (faults.length === 1) throw faults[0]
  }
}
