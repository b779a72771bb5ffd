/** A method as the store knows it. */
import type { MethodDefinition, MethodTerms } from './method-definition.ts'

/** What is stored of a method and cannot be read, in words. */
export interface UnreadableMethod {
  readonly unreadable: string
}

/** What starts need to know of a method. */
export type FoundMethod = MethodTerms | UnreadableMethod

/** A method as it was announced, and how it stands. */
export interface KnownMethod {
  readonly name: string
  readonly definition: MethodDefinition | UnreadableMethod
  readonly paused: boolean
  /** Sessions with it that are attached. */
  readonly executors: number
  /** Those of them that have a version of it, by the version. */
  readonly versions: readonly { readonly version: string; readonly executors: number }[]
}
