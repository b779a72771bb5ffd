/** An executor session, as it is recorded and as it is told of. */
import type { AttachmentId, SessionId, SessionKey } from './ids.ts'
import type { SlotLane } from './lane.ts'

export interface Attachment {
  readonly id: AttachmentId
  /** By which its executor and readers know the session. */
  readonly sessionId: SessionId
  /** By which it is told from others, of strangers who took its id too. */
  readonly sessionKey: SessionKey
  /** Of the session its executor has given up for this one, not being lost itself. */
  readonly lostSessionKey: SessionKey | undefined
  readonly namespace: string
  readonly name: string
  readonly scheduler: string
  readonly software: string
  readonly labels: Readonly<Record<string, string>>
  readonly lanes: readonly { readonly lane: SlotLane; readonly slots: number }[]
  /** Names of the methods it runs. */
  readonly methods: readonly string[]
  /** As spelled, the default one by its name. */
  readonly pools: readonly string[]
  /** By method the id of the schema it takes parameters by, of those that have one. */
  readonly schemas: Readonly<Record<string, string>>
  /** By method the version of it, of those that have one. Default: none has. */
  readonly versions?: Readonly<Record<string, string>>
  /** Rounds by which its lease is longer than those of others. Default 0. */
  readonly extraRounds?: number
}

/** An executor session whose lease has not run out. */
export interface AttachedExecutor {
  readonly sessionId: SessionId
  readonly sessionKey: SessionKey
  readonly name: string
  readonly software: string
  readonly labels: Readonly<Record<string, string>>
  readonly scheduler: string
  readonly lanes: readonly {
    readonly lane: SlotLane
    readonly slots: number
    readonly used: number
  }[]
  readonly methods: readonly string[]
  readonly pools: readonly string[]
  readonly versions: Readonly<Record<string, string>>
  readonly attachTime: Date
  /** Nothing has been heard of it for a lease. */
  readonly inDoubt: boolean
  readonly draining: boolean
}
