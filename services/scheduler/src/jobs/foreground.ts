/** Where a start is put whose caller would run it itself (row L7). */
import { type Foreground, poolOfSession } from '../domain/foreground.ts'
import { requiredVersionOf } from '../domain/pool.ts'
import type { StartCommand } from '../domain/start-command.ts'
import type { Attachments } from '../executors/attachments.ts'
import type { Methods } from '../executors/methods.ts'
import type { StartStore } from '../ports/starts.ts'
import type { Checked } from './check-start.ts'
import { executorSessionNotFound } from './refusals.ts'

export type ForegroundStore = Pick<StartStore, 'sessionRuns' | 'isServed'>

export interface ForegroundOptions {
  readonly methods: Pick<Methods, 'peek'>
  readonly store: ForegroundStore
  readonly attachments: Pick<Attachments, 'runs' | 'roomFor'>
}

/** It has been checked: what it calls is known. */
export async function placeInForeground(
  options: ForegroundOptions,
  command: StartCommand,
): Promise<Checked> {
  const { foreground: asked, namespace, method, pool } = command
  if (asked === undefined) return command
  const { sessionId, sessionKey } = asked
  const { attachments, store } = options
  const version = requiredVersionOf(pool)
  const isThere = async (version: string) =>
    attachments.runs(sessionKey, method, version) ||
    (await store.sessionRuns(sessionKey, method, version))
  const isBound = options.methods.peek(namespace, method)?.foregroundOnly === true
  // Where it can begin on an executor it does, whatever has become of the session.
  if (asked.mode === 'auto' && !isBound && (await mayBegin(options, command))) return command
  if (!(await isThere(version))) {
    if (version !== '' && asked.mode === 'auto' && (await isThere(''))) return command
    return { refusal: executorSessionNotFound(sessionId, method, version) }
  }
  const foreground: Foreground = isBound || asked.mode === 'only' ? 'only' : 'first'
  const homePool = pool === '' ? {} : { homePool: pool }
  return {
    ...command,
    pool: poolOfSession(sessionKey),
    options: { ...command.options, foreground, ...homePool },
  }
}

/**
 * Whether an executor runs the method in its pool, and its slots are not all with jobs of the same owner that wait for children. Of
 * slots the replica knows to which the executor is attached; of others it is believed.
 */
async function mayBegin(
  { attachments, store }: ForegroundOptions,
  command: StartCommand,
): Promise<boolean> {
  const room = attachments.roomFor(command)
  if (room === 'none') return store.isServed(command)
  return room === 'some'
}
