import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IndexedHeap } from './indexed-heap.ts'

interface Element {
  readonly key: number
  heapIndex: number
}

function element(key: number): Element {
  return { key, heapIndex: -1 }
}

describe('IndexedHeap', () => {
  test('whatever is added and removed, the rest comes out in order', () => {
    const keys = fc.uniqueArray(fc.integer(), { maxLength: 60, size: 'max' })
    fc.assert(
      fc.property(keys, fc.infiniteStream(fc.boolean()), (keys, removed) => {
        const heap = new IndexedHeap<Element>((a, b) => a.key < b.key)
        const elements = keys.map(element)
        for (const one of elements) heap.push(one)
        const kept = elements.filter((one) => {
          if (removed.next().value) return true
          expect(heap.remove(one)).toBe(true)
          return false
        })
        const out: Element[] = []
        for (let one = heap.pop(); one !== undefined; one = heap.pop()) out.push(one)
        expect(out).toEqual(kept.sort((a, b) => a.key - b.key))
      }),
    )
  })

  test('an element that is not in the heap is not removed, not even with the index of another', () => {
    const heap = new IndexedHeap<Element>((a, b) => a.key < b.key)
    heap.push(element(1))
    expect(heap.remove({ key: 1, heapIndex: 0 })).toBe(false)
    expect(heap.size).toBe(1)
  })

  test('drained elements can be added again', () => {
    const heap = new IndexedHeap<Element>((a, b) => a.key < b.key)
    const one = element(1)
    heap.push(one)
    expect(heap.drain()).toEqual([one])
    expect(heap.size).toBe(0)
    expect(heap.has(one)).toBe(false)
    heap.push(one)
    expect(heap.pop()).toBe(one)
  })

  test('taking the first of n and adding it again later costs at most 3 log2 n comparisons', () => {
    for (const n of [100, 1_000, 10_000, 100_000]) {
      let comparisons = 0
      const heap = new IndexedHeap<Element>((a, b) => {
        comparisons += 1
        return a.key < b.key
      })
      for (let key = 0; key < n; key += 1) heap.push(element(key))
      comparisons = 0
      const rounds = 1_000
      for (let round = 0; round < rounds; round += 1) {
        const first = heap.pop()
        expect(first?.key).toBe(round)
        heap.push(element(n + round))
      }
      expect(comparisons / rounds).toBeLessThanOrEqual(3 * Math.log2(n))
    }
  })
})
