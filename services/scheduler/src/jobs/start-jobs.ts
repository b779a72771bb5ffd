/** Starting jobs and, when asked, waiting inline for their end (rows J1, J4, J19, L1). */
import type { Refusal } from '@offstage/kit/grpc'
import type { StartItem, StartOutcome } from '../dispatch/start-outcome.ts'
import type { Starts } from '../dispatch/starts.ts'
import type { JobStanding } from '../domain/job.ts'
import type { JobState } from '../domain/job-state.ts'
import type { StartCommand } from '../domain/start-command.ts'
import { invalidFields } from '../refusals.ts'
import type { JobFeed } from '../waits/job-feed.ts'
import { Waiter } from '../waits/waiter.ts'
import type { Caller } from './caller.ts'
import { type Checked, type CheckOptions, checkInTurn } from './check-start.ts'
import type { LimitRate } from './limit-rate.ts'
import type { RecordReads } from './payload-reads.ts'
import type { ReadFor } from './shared-reads.ts'

export interface StartJobsOptions extends CheckOptions {
  readonly starts: Starts
  readonly feed: JobFeed
  readonly readStandings: ReadFor<JobStanding>
  /** Throws where these are more than their owner may start now. */
  readonly limitRate?: LimitRate | undefined
  readonly recordReads: RecordReads
}

export interface StartedJob {
  readonly id: string
  readonly state: JobState
  readonly existing: boolean
  /** Set when the job has ended. */
  readonly standing: JobStanding | undefined
}

export type Started = StartedJob | { readonly refusal: Refusal }

/** All commands are the actor's. */
export type StartJobs = (
  caller: Caller,
  commands: readonly StartCommand[],
  inlineWaitMs: number,
  signal: AbortSignal,
) => Promise<Started[]>

export function createStartJobs(options: StartJobsOptions): StartJobs {
  return async (caller, commands, inlineWaitMs, signal) => {
    // Refused before anything is started: a start that is recorded must be answered as such.
    if (inlineWaitMs > 0) options.feed.makeRoom(commands.length, caller.user)
    options.limitRate?.(commands)
    const checks = commands.map((each) => checkInTurn(options, caller, each))
    const checked = checks.some(isPending) ? await Promise.all(checks) : (checks as Checked[])
    using waiter = inlineWaitMs > 0 ? newWaiter(options, caller, commands) : undefined
    const items: StartItem[] = []
    for (const command of checked) {
      if ('refusal' in command) continue
      const { namespace } = command
      const onStarted = waiter && ((id: string) => waiter.follow(namespace, id, false))
      items.push(onStarted === undefined ? { command } : { command, onStarted })
    }
    const outcomes = await options.starts.add(items, caller.user)
    if (waiter !== undefined) {
      await waitInline(waiter, items, outcomes, inlineWaitMs, signal)
      const recording = recordEnds(options, caller, outcomes, waiter)
      if (recording !== undefined) await recording
    }
    let next = 0
    return checked.map((command) => {
      if ('refusal' in command) return command
      return startedJob(outcomes[next++], waiter)
    })
  }
}

/** All commands of a call are for one namespace. */
function newWaiter(
  { feed, readStandings }: StartJobsOptions,
  caller: Caller,
  [command]: readonly StartCommand[],
): Waiter {
  return new Waiter(feed, readStandings(caller, command?.namespace ?? ''), caller.user)
}

async function waitInline(
  waiter: Waiter,
  items: readonly StartItem[],
  outcomes: readonly StartOutcome[],
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  let awaited = 0
  const elsewhere: string[] = []
  for (const [index, outcome] of outcomes.entries()) {
    const namespace = items[index]?.command.namespace ?? ''
    if (outcome.kind === 'refused') continue
    awaited++
    if (outcome.kind === 'existing') {
      const { standing } = outcome
      if (standing.completion !== undefined) waiter.end(standing)
      else {
        waiter.follow(namespace, standing.id, true)
        elsewhere.push(standing.id)
      }
    } else if (!outcome.here) {
      waiter.follow(namespace, outcome.id, true)
      elsewhere.push(outcome.id)
    }
  }
  if (elsewhere.length > 0) await waiter.check(elsewhere)
  await waiter.until(awaited, waitMs, signal)
}

/** An administrator may be handed a job of somebody else, which holds the key, and so its result. */
function recordEnds(
  { recordReads }: StartJobsOptions,
  caller: Caller,
  outcomes: readonly StartOutcome[],
  waiter: Waiter,
): Promise<void> | undefined {
  const ended = outcomes.flatMap((outcome) => {
    const standing = outcome.kind === 'existing' && waiter.ended.get(outcome.standing.id)
    return standing ? [standing] : []
  })
  const [first] = ended
  return first && recordReads(caller, first.namespace, ended)
}

function startedJob(outcome: StartOutcome | undefined, waiter: Waiter | undefined): Started {
  if (outcome === undefined || outcome.kind === 'refused') {
    return outcome ?? { refusal: invalidFields([]) }
  }
  if (outcome.kind === 'existing') {
    const standing = waiter?.ended.get(outcome.standing.id) ?? outcome.standing
    const ended = standing.completion === undefined ? undefined : standing
    return { id: standing.id, state: standing.state, existing: true, standing: ended }
  }
  const standing = waiter?.ended.get(outcome.id)
  return { id: outcome.id, state: standing?.state ?? outcome.state, existing: false, standing }
}

function isPending(checked: Checked | Promise<Checked>): checked is Promise<Checked> {
  return checked instanceof Promise
}
