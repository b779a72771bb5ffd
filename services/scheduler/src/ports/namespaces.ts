/** What holds for the jobs of a namespace: gates and settings. */
import type { ActBy } from '../domain/act.ts'
import type { ExclusiveHolder } from '../domain/exclusive-mode.ts'
import type { LimitsOfMethod, MethodLimit } from '../domain/method-limit.ts'
import type { Retention } from '../domain/retention.ts'

/** The gates that are closed, all of one moment. */
export interface ClosedGates {
  /** Grows with each change. */
  readonly epoch: number
  readonly namespaces: readonly string[]
  readonly pools: readonly { readonly namespace: string; readonly pool: string }[]
  readonly methods: readonly { readonly namespace: string; readonly method: string }[]
  /** Namespaces that somebody has exclusively, or is about to. */
  readonly exclusive: readonly string[]
  /** Of all methods that have some. */
  readonly limits: readonly LimitsOfMethod[]
}

/**
 * What holds back the jobs of a method, a pool or a namespace. A change resolves when every start and claim that went by the gates as they
 * were has been committed, on whichever replica; true: something was changed.
 */
export interface GateStore {
  read(): Promise<ClosedGates>
  pauseNamespace(namespace: string, by: ActBy): Promise<boolean>
  resumeNamespace(namespace: string, by: ActBy): Promise<boolean>
  pausePool(namespace: string, pool: string, by: ActBy): Promise<boolean>
  resumePool(namespace: string, pool: string, by: ActBy): Promise<boolean>
  pauseMethod(namespace: string, method: string, by: ActBy): Promise<boolean>
  resumeMethod(namespace: string, method: string, by: ActBy): Promise<boolean>
}

/** What is set for a namespace as a whole. */
export interface NamespaceSettings {
  /** Grows with each change. */
  readonly revision: number
  readonly paused: boolean
  /** As they are spelled, by name. */
  readonly pausedPools: readonly string[]
  /** What was set, which may say less than is in force. */
  readonly retention: readonly Retention[]
  /** Those that administrators have set, and those that definitions have where none is set. */
  readonly limits: readonly MethodLimit[]
  readonly announcedLimits: readonly MethodLimit[]
  /** Who has it exclusively, or is about to. */
  readonly exclusive: ExclusiveHolder | undefined
}

/** What is to change; undefined is left as it is. */
export interface NamespaceChange {
  /** What the revision must be. */
  readonly etag: string | undefined
  readonly retention: readonly Retention[] | undefined
  readonly limits: readonly MethodLimit[] | undefined
}

export interface NamespaceStore {
  read(namespace: string): Promise<NamespaceSettings>
  /** What is set then; undefined where the revision is another than the etag says. */
  update(
    namespace: string,
    change: NamespaceChange,
    by: ActBy,
  ): Promise<NamespaceSettings | undefined>
}
