import type { KnownCodecs } from '../jobs/codec.ts'
import { type Told, unwrapTold } from '../jobs/wrapped-report.ts'

/** How a job message is meant. */
export type MessageSeverity = 'info' | 'warning' | 'error'

/** How far a job has come (row J15). */
export interface Progress {
  /** 0 to 100. */
  readonly percent: number
  /** What is being done; may be empty. */
  readonly text: string
  /** Anything else the handler reported. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** Counts the reports of one job; a lower number is older. */
  readonly revision: number
}

/** One line of a job's ordered list of messages (row J15). */
export interface JobMessage {
  /** Counts the messages of one job from 1 without gaps. */
  readonly sequence: number
  /** When it was recorded, by the database's clock. */
  readonly recordTime?: Date
  /** How it is meant. */
  readonly severity: MessageSeverity
  /** The message. */
  readonly text: string
  /** Anything else the handler reported. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** Passes each message on once, whether it was pushed, read, or both (row J15). */
export function onceEach(
  onMessage: ((message: JobMessage) => void) | undefined,
): ((message: JobMessage) => void) | undefined {
  if (onMessage === undefined) return undefined
  let told = 0
  return (message) => {
    if (message.sequence <= told) return
    told = message.sequence
    onMessage(message)
  }
}

/** Passes on as it was told what a codec of these has wrapped. */
export function unwrapping<T extends Told>(
  codecs: KnownCodecs,
  listener: ((told: T) => void) | undefined,
): ((told: T) => void) | undefined {
  return listener && ((told) => listener(unwrapTold(codecs, told)))
}
