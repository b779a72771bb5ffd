/**
 * The set of property names of a flat structure, one object per set, whatever the order of the
 * names.
 *
 * How it works: a trie over names in the order met leads to the shape; orders of the same names
 * lead to the same object through the sorted names. What has been learned is bounded: past the
 * limit everything is forgotten. A shape learned anew is a new object, so entries kept under the
 * old one are merely not found again; two sets of names never share an object.
 */
export class Shape {
  /** In canonical (sorted) order. */
  readonly names: readonly string[]
  constructor(names: readonly string[]) {
    this.names = names
  }
}

/** Structures with more properties than this are not parameters that compare by content. */
export const STRUCTURE_PROPERTIES_MAX = 100
/** Nor are structures whose names have more characters together. */
const NAMES_CHARACTERS_MAX = 10_000
const STEPS_MAX = 20_000
const CHARACTERS_MAX = 1_000_000

interface Step {
  readonly next: Map<string, Step>
  shape: Shape | undefined
}

const newStep = (): Step => ({ next: new Map(), shape: undefined })
let start = newStep()
let steps = 0
let characters = 0
let lastNames: readonly string[] = []
let lastShape = new Shape([])
start.shape = lastShape

/** The shape of a structure with these names; undefined when there are too many of them. */
export function shapeOf(names: readonly string[]): Shape | undefined {
  return sameNames(names, lastNames) ? lastShape : findShape(names)
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function findShape(names: readonly string[]): Shape | undefined {
  if (names.length > STRUCTURE_PROPERTIES_MAX) return
  let length = 0
  for (const name of names) length += name.length
  if (length > NAMES_CHARACTERS_MAX) return
  if (steps > STEPS_MAX || characters > CHARACTERS_MAX) {
    start = newStep()
    steps = 0
    characters = 0
  }
  const met = walk(names)
  if (met.shape === undefined) {
    const sorted = [...names].sort()
    const canonical = walk(sorted)
    canonical.shape ??= new Shape(Object.freeze(sorted))
    met.shape = canonical.shape
  }
  lastNames = names
  lastShape = met.shape
  return met.shape
}

function walk(names: readonly string[]): Step {
  let step = start
  for (const name of names) {
    let next = step.next.get(name)
    if (next === undefined) {
      next = newStep()
      step.next.set(name, next)
      steps++
      characters += name.length
    }
    step = next
  }
  return step
}
