/** What an executor announced about a method. */
import type { SlotLane } from './lane.ts'
import type { MethodLimit } from './method-limit.ts'
import type { MethodDefault, StartOptions } from './start-command.ts'

/** Who may start a method: whoever is named by either. */
export interface StartableBy {
  readonly roles: readonly string[]
  /** `*` stands for any characters. */
  readonly users: readonly string[]
}

/** What starts that say nothing else take from it. */
export interface MethodTerms extends Pick<StartOptions, MethodDefault> {
  readonly name: string
  readonly lane: SlotLane
  /** Undefined: whoever may start jobs. */
  readonly startableBy?: StartableBy
  /** Its handler acts with the rights of a service. */
  readonly privileged?: boolean
  /** It runs in the process of its caller alone. */
  readonly foregroundOnly?: boolean
  /** CEL (admission/limit-keys.ts) by the label that its jobs get; undefined for none. */
  readonly labelExpressions?: Readonly<Record<string, string>>
  /** JSON Schema of the parameters; empty or undefined where there is none. */
  readonly paramsSchema?: string
  /** What was announced before, newest first, while executors may be attached that run it so: as in a rolling update. */
  readonly earlierParamsSchemas?: readonly string[]
}

export interface MethodDefinition extends MethodTerms {
  /** Where none is set for the method; undefined: none. */
  readonly limits?: readonly MethodLimit[]
  readonly description: string
  readonly paramsSchema: string
  readonly resultSchema: string
}
