import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

type Library = typeof import('cborg') & typeof import('cborg/taglib')

const require = createRequire(import.meta.url)
const load = (name: string) => require(fileURLToPath(import.meta.resolve(name)))
let library: Library | undefined

/** Writes and reads the tokens of CBOR. Loaded with the first of them: it would add a tenth to the start of every thread. */
export function cborLibrary(): Library {
  library ??= { ...load('cborg'), ...load('cborg/taglib') } as Library
  return library
}
