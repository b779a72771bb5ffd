/** What a scenario has at hand: the two services, the executor, and attempts to give to it. */
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Assignment, type AttemptRef, type AttemptResult } from '@offstage/proto/executor'
import { Lane, Payload } from '@offstage/proto/jobs'
import type { Attachment } from './attachment.ts'
import type { ExecutorProcess } from './executor-process.ts'
import { type ScriptedScheduler, SHUTTING_DOWN } from './scripted-scheduler.ts'
import type { ScriptedStorage } from './scripted-storage.ts'
import type { Impostor } from './tls-stage.ts'
import { awaited, must, mustBe } from './verdict.ts'

export const NAMESPACE = 'conformance'
export const OWNER = 'ada'
/** Methods whose handlers wait for a file, and note what they see. */
const HOLDING: readonly string[] = ['hold', 'deaf', 'why']

/** An attempt of a job, with the files by which its handler and the scenario know of one another. */
export interface StagedAttempt extends AttemptRef {
  readonly assignment: Assignment
  /** What the handler has noted, a line for each: `begun`, `stopped` or why it was. */
  notes(): readonly string[]
  begun(): Promise<unknown>
  stopped(): Promise<unknown>
  /** Lets the handler return. */
  release(): void
}

export interface StageParts {
  readonly scheduler: ScriptedScheduler
  readonly storage: ScriptedStorage
  readonly executor: ExecutorProcess
  /** For the files. */
  readonly folder: string
  /** The bearer token the executor was given; empty for none. */
  readonly token: string
  /** Somebody who pretends to be the scheduler; undefined where nobody asks for certificates. */
  readonly impostor: Impostor | undefined
}

export class Stage {
  readonly scheduler: ScriptedScheduler
  readonly storage: ScriptedStorage
  readonly executor: ExecutorProcess
  readonly token: string
  readonly impostor: Impostor | undefined
  readonly #folder: string

  constructor({ scheduler, storage, executor, folder, token, impostor }: StageParts) {
    this.scheduler = scheduler
    this.storage = storage
    this.executor = executor
    this.token = token
    this.impostor = impostor
    this.#folder = folder
  }

  /** The stream that stands, once it does. */
  async attached(): Promise<Attachment> {
    await this.scheduler.attachment(1)
    return awaited('a stream with a hello', () => this.scheduler.attachments.findLast(isOpen))
  }

  /** The stream that stands, on which every slot is free and has its credit. */
  async idle(): Promise<Attachment> {
    const attachment = await this.attached()
    await awaited('a credit for every slot', () => {
      const [fault] = attachment.faults
      must(fault === undefined, fault ?? '')
      return attachment.credits() === attachment.slots() ? true : undefined
    })
    return attachment
  }

  /** The stream that comes after this one. */
  after(attachment: Attachment): Promise<Attachment> {
    const { attachments } = this.scheduler
    return this.scheduler.attachment(attachments.indexOf(attachment) + 2)
  }

  /** Has the executor attach anew, and be told this lease. */
  async reattached(leaseMs: number): Promise<Attachment> {
    const before = await this.attached()
    this.scheduler.leaseMs = leaseMs
    before.end(SHUTTING_DOWN)
    return this.after(before)
  }

  attempt(method: string, params?: unknown, more: Partial<Assignment> = {}): StagedAttempt {
    const jobId = randomUUID()
    const note = join(this.#folder, `${jobId}.note`)
    const gate = join(this.#folder, `${jobId}.gate`)
    const given = HOLDING.includes(method) ? { note, gate } : params
    const payload = given === undefined ? undefined : inline(given)
    const notes = () =>
      existsSync(note) ? readFileSync(note, 'utf8').split('\n').filter(Boolean) : []
    const noted = (what: string) => awaited(what, () => notes().includes(what) || undefined)
    return {
      jobId,
      attempt: 1,
      assignment: {
        ...Assignment.create(),
        jobId,
        attempt: 1,
        method: `conformance.${method}`,
        lane: Lane.LANE_INLINE,
        namespace: NAMESPACE,
        owner: OWNER,
        params: payload,
        ...more,
      },
      notes,
      begun: () => noted('begun'),
      stopped: () => noted('stopped'),
      release: () => writeFileSync(gate, ''),
    }
  }

  /** Assigns an attempt on the stream that stands, and waits for its credit first. */
  async assign(...made: Parameters<Stage['attempt']>): Promise<StagedAttempt> {
    const attempt = this.attempt(...made)
    await this.send(attempt)
    return attempt
  }

  async send(...attempts: readonly StagedAttempt[]): Promise<Attachment> {
    const attachment = await this.attached()
    await awaited('credits for what is to be assigned', () =>
      attachment.credits() >= attempts.length ? true : undefined,
    )
    attachment.say({ assignments: attempts.map(({ assignment }) => assignment) })
    return attachment
  }

  /** A handler that waits to be released or stopped, and has begun. */
  async holding(method: 'hold' | 'deaf' | 'why' = 'hold', more: Partial<Assignment> = {}) {
    const attempt = await this.assign(method, undefined, more)
    await attempt.begun()
    return attempt
  }

  /** How an attempt ends on the stream that stands. */
  async end(...made: Parameters<Stage['attempt']>): Promise<AttemptResult> {
    const attempt = await this.assign(...made)
    return (await this.attached()).result(attempt)
  }

  /** Everything that was said before has been heard and acted upon, for a job runs through behind it. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) {
      mustBe('what a job returns afterwards', jsonOf(await this.end('echo', { turn })), { turn })
    }
  }

  faults(): readonly string[] {
    return [...new Set(this.scheduler.attachments.flatMap(({ faults }) => faults))]
  }
}

export function refOf({ jobId, attempt }: AttemptRef): AttemptRef {
  return { jobId, attempt }
}

const isOpen = ({ isOpen }: Attachment) => isOpen

/** What a result says that must be a success of JSON in place. */
export function jsonOf({ outcome }: AttemptResult): unknown {
  must(outcome?.$case === 'succeeded', `an attempt must succeed, but it ended as ${shown(outcome)}`)
  const { source, contentType } = outcome.value
  if (source === undefined) return undefined
  must(source.$case === 'inline', 'a small result must be sent in place, but it is at an address')
  mustBe('the content type of a result', contentType || 'application/json', 'application/json')
  return JSON.parse(source.value.toString())
}

/** As parameters in place. */
function inline(value: unknown): Payload {
  const json = Buffer.from(JSON.stringify(value))
  return Payload.fromPartial({ source: { $case: 'inline', value: json } })
}

/** As parameters in temp storage. */
export function at(address: string): Payload {
  return Payload.fromPartial({ source: { $case: 'address', value: address } })
}

/** Of heartbeat data. */
export function inlineJson(payload: Payload | undefined): unknown {
  const source = payload?.source
  must(source?.$case === 'inline', 'heartbeat data must be in place')
  return JSON.parse(source.value.toString())
}

export function failureOf({ outcome }: AttemptResult) {
  must(outcome?.$case === 'failed', `an attempt must fail, but it ended as ${shown(outcome)}`)
  return outcome.value
}

export function mustBeCanceled(result: AttemptResult, { neverStarted }: { neverStarted: boolean }) {
  const { outcome } = result
  must(outcome?.$case === 'canceled', `an attempt must be canceled, not ${shown(outcome)}`)
  mustBe('`never_started` of a canceled attempt', result.neverStarted, neverStarted)
}

/** The address of a large result. */
export function addressOf({ outcome }: AttemptResult): { address: string; sha256: Buffer } {
  must(outcome?.$case === 'succeeded', `an attempt must succeed, not end as ${shown(outcome)}`)
  const { source, sha256 } = outcome.value
  must(source?.$case === 'address', 'a result that belongs into temp storage must be an address')
  return { address: source.value, sha256: Buffer.from(sha256 ?? []) }
}

function shown(outcome: AttemptResult['outcome']): string {
  if (outcome === undefined) return 'nothing'
  return `${outcome.$case}: ${JSON.stringify(outcome.value).slice(0, 300)}`
}
