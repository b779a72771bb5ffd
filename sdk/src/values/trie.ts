/**
 * Finds a leaf by its sequence of components without building or hashing a text.
 *
 * How it works: nested Maps, one level a component, but a leaf hangs at the first level where it is
 * alone; it is pushed down when a second one with the same beginning arrives. So one Map serves a
 * million entries with different first components, and a lookup costs one Map access per shared
 * component plus a comparison of the rest.
 *
 * Invariants:
 * 1. No sequence in a trie is the beginning of another (components.ts), so a leaf and a branch
 *    never claim the same place.
 * 2. No branch but the root is empty.
 */
import type { Component } from './components.ts'

export interface Leaf {
  readonly isBranch: false
  readonly first: Component
  /** The components after the first. */
  readonly rest: readonly Component[]
}

/** A level at which several leaves part. */
export interface Branch<L extends Leaf> {
  readonly isBranch: true
  readonly children: Children<L>
}

type Children<L extends Leaf> = Map<Component, L | Branch<L>>

export class Trie<L extends Leaf> {
  readonly root: Children<L> = new Map()

  find(components: readonly Component[]): L | undefined {
    let slot = this.root.get(components[0])
    for (let depth = 1; slot !== undefined; depth++) {
      if (!slot.isBranch) return restEquals(slot.rest, components, depth) ? slot : undefined
      slot = slot.children.get(components[depth])
    }
    return undefined
  }

  /** As `find`, by the components of a leaf or of what is to become one. */
  at({ first, rest }: Pick<L, 'first' | 'rest'>): L | undefined {
    let slot = this.root.get(first)
    for (let depth = 0; slot?.isBranch; depth++) slot = slot.children.get(rest[depth])
    if (slot === undefined || slot.isBranch) return undefined
    const found = slot.rest
    return rest.every((component, i) => Object.is(component, found[i])) ? slot : undefined
  }

  /**
   * The caller knows that no leaf with these components is there. Returns how many branches grew.
   */
  insert(leaf: L): number {
    let children = this.root
    let component = leaf.first
    let grown = 0
    for (let depth = 0; ; depth++) {
      const slot = children.get(component)
      if (slot === undefined) {
        children.set(component, leaf)
        return grown
      }
      if (slot.isBranch) {
        children = slot.children
      } else {
        const branch: Branch<L> = { isBranch: true, children: new Map() }
        branch.children.set(slot.rest[depth], slot)
        children.set(component, branch)
        children = branch.children
        grown++
      }
      component = leaf.rest[depth]
    }
  }

  /** Takes out exactly this leaf; false when it is not there. */
  remove(leaf: L): boolean {
    const path: [Children<L>, Component][] = [[this.root, leaf.first]]
    let slot = this.root.get(leaf.first)
    for (let depth = 0; slot?.isBranch; depth++) {
      path.push([slot.children, leaf.rest[depth]])
      slot = slot.children.get(leaf.rest[depth])
    }
    if (slot !== leaf) return false
    for (const [children, component] of path.reverse()) {
      children.delete(component)
      if (children.size > 0) break // invariant 2
    }
    return true
  }

  *leaves(): Generator<L> {
    const open: Children<L>[] = [this.root]
    for (let children = open.pop(); children !== undefined; children = open.pop()) {
      for (const slot of children.values()) {
        if (slot.isBranch) open.push(slot.children)
        else yield slot
      }
    }
  }
}

function restEquals(rest: readonly Component[], components: readonly Component[], from: number) {
  if (rest.length !== components.length - 1) return false
  for (let i = from; i < components.length; i++) {
    if (!Object.is(rest[i - 1], components[i])) return false
  }
  return true
}
