import type { Load } from '../domain/load.ts'

export interface LoadStore {
  /** Undefined when it took too long. */
  read(): Promise<Load | undefined>
}
