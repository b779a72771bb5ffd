/** An element that remembers its place, so that it can be removed from the middle. */
export interface HeapElement {
  heapIndex: number
}

/**
 * A binary heap: the element that comes before all others is at hand, adding and removing cost O(log n).
 * Each element carries its index, hence removing from the middle needs no search.
 *
 * Invariants: (1) no element comes before its parent; (2) `elements[e.heapIndex] === e` for each element e,
 * which is also what tells members from strangers: an element may move between heaps, but is in one at a time.
 */
export class IndexedHeap<T extends HeapElement> {
  readonly #elements: T[] = []
  readonly #before: (a: T, b: T) => boolean

  /** @param before whether `a` comes out before `b`; a strict total order. */
  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#elements.length
  }

  has(element: T): boolean {
    return this.#elements[element.heapIndex] === element
  }

  peek(): T | undefined {
    return this.#elements[0]
  }

  push(element: T): void {
    this.#elements.push(element)
    this.#rise(element, this.#elements.length - 1)
  }

  pop(): T | undefined {
    const first = this.#elements[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes an element out, wherever it is. False if it is not in this heap. */
  remove(element: T): boolean {
    if (!this.has(element)) return false
    const index = element.heapIndex
    const last = this.#elements.pop()
    element.heapIndex = -1
    if (last === undefined || last === element) return true
    // The last one fills the gap; coming from another branch, it may have to go either way.
    this.#sink(last, index)
    this.#rise(last, last.heapIndex)
    return true
  }

  /** Takes everything out, in no particular order. */
  drain(): T[] {
    for (const element of this.#elements) element.heapIndex = -1
    return this.#elements.splice(0)
  }

  #rise(element: T, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#elements[parentIndex]
      if (parent === undefined || !this.#before(element, parent)) break
      this.#put(parent, index)
      index = parentIndex
    }
    this.#put(element, index)
  }

  #sink(element: T, from: number): void {
    let index = from
    for (;;) {
      const childIndex = this.#firstChildIndex(index)
      const child = this.#elements[childIndex]
      if (child === undefined || !this.#before(child, element)) break
      this.#put(child, index)
      index = childIndex
    }
    this.#put(element, index)
  }

  /** The index of the child that comes out first; beyond the end when there is none. */
  #firstChildIndex(index: number): number {
    const leftIndex = 2 * index + 1
    const left = this.#elements[leftIndex]
    const right = this.#elements[leftIndex + 1]
    if (left === undefined || right === undefined) return leftIndex
    return this.#before(right, left) ? leftIndex + 1 : leftIndex
  }

  #put(element: T, index: number): void {
    this.#elements[index] = element
    element.heapIndex = index
  }
}
