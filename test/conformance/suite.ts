/** Holds an executor against the scenarios, one after the other, and tells of each. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AttachRequest } from '@offstage/proto/executor'
import { type ExecutorProcess, startExecutorProcess } from './executor-process.ts'
import { identityScenarios } from './identity-scenarios.ts'
import { impatientScenarios, leavingScenarios } from './leaving-scenarios.ts'
import { runningScenarios } from './running-scenarios.ts'
import type { Scenario } from './scenario.ts'
import { type ScriptedScheduler, startScriptedScheduler } from './scripted-scheduler.ts'
import { startScriptedStorage } from './scripted-storage.ts'
import { sessionScenarios } from './session-scenarios.ts'
import { NAMESPACE, Stage } from './stage.ts'
import { stoppingScenarios } from './stopping-scenarios.ts'
import { streamScenarios } from './stream-scenarios.ts'
import { tlsScenarios } from './tls-scenarios.ts'
import { startTlsStage } from './tls-stage.ts'
import { valueScenarios } from './value-scenarios.ts'
import { Broken } from './verdict.ts'
import { waitingScenarios } from './waiting-scenarios.ts'

export interface SuiteOptions {
  /** Runs the executor; given to `sh`. */
  readonly executor: string
  /** Only scenarios whose number is one of these, or begins with it: `4` for 4.1 to 4.8. Default: all. */
  readonly only?: readonly string[]
  /** By scenarios: what is heard in place of what the executor says, to see that they can fail. */
  readonly tampered?: Readonly<Record<string, (heard: AttachRequest) => AttachRequest>>
}

export interface Report {
  readonly number: string
  readonly title: string
  /** Why it failed; undefined where it passed. */
  readonly fault: string | undefined
  /** What the executor has written since its start, where it failed. */
  readonly output: string
}

/** Scenarios that one process of the executor goes through. */
interface Run {
  readonly scenarios: readonly Scenario[]
  readonly token: string
  readonly drainGrace: string
  /** Whether the services ask for certificates. */
  readonly isGuarded?: boolean
}

const RUNS: readonly Run[] = [
  {
    scenarios: [
      ...sessionScenarios,
      ...runningScenarios,
      ...waitingScenarios,
      ...valueScenarios,
      ...stoppingScenarios,
      ...streamScenarios,
      ...leavingScenarios,
    ],
    token: '',
    drainGrace: '60s',
  },
  {
    scenarios: [...identityScenarios, ...impatientScenarios],
    token: 'token-of-the-executor',
    drainGrace: '200ms',
  },
  { scenarios: tlsScenarios, token: '', drainGrace: '200ms', isGuarded: true },
]

export const SCENARIOS: readonly Scenario[] = RUNS.flatMap(({ scenarios }) => scenarios)

export async function* runSuite(options: SuiteOptions): AsyncGenerator<Report> {
  const { only } = options
  const isWanted = ({ number }: Scenario) =>
    only === undefined || only.some((one) => number === one || number.startsWith(`${one}.`))
  for (const run of RUNS) {
    let left = run.scenarios.filter(isWanted)
    while (left.length > 0) {
      const done = yield* runOnStage(options, { ...run, scenarios: left })
      left = left.slice(done)
    }
  }
}

/** What an executor does not keep to, for tests. */
export async function allFaults(executor: string): Promise<string[]> {
  const faults: string[] = []
  const left = new Set(SCENARIOS.map(({ number }) => number))
  for await (const { number, title, fault, output } of runSuite({ executor })) {
    left.delete(number)
    if (fault !== undefined) faults.push(`${number} ${title}: ${fault}\n${output}`)
  }
  return [...faults, ...[...left].map((number) => `${number} was not run`)]
}

/** Up to the first that fails: what that leaves behind is not to be held against the next. Returns how many it told of. */
async function* runOnStage(
  { executor, tampered }: SuiteOptions,
  { scenarios, token, drainGrace, isGuarded }: Run,
): AsyncGenerator<Report, number> {
  await using stack = new AsyncDisposableStack()
  const tls = isGuarded ? stack.use(await startTlsStage()) : undefined
  const scheduler = stack.use(await startScriptedScheduler(tls?.server))
  const storage = stack.use(await startScriptedStorage(tls?.server))
  scheduler.tampered = tampered?.[scenarios[0]?.number ?? '']
  const folder = await mkdtemp(join(tmpdir(), 'offstage-conformance-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const running = stack.use(
    startExecutorProcess(executor, {
      OFFSTAGE_SCHEDULER: scheduler.cable.address,
      OFFSTAGE_STORAGE: storage.address,
      OFFSTAGE_NAMESPACE: NAMESPACE,
      OFFSTAGE_EXECUTOR_DRAIN_GRACE: drainGrace,
      ...(token !== '' && { OFFSTAGE_TOKEN: token }),
      ...tls?.env,
    }),
  )
  const stage = new Stage({
    ...{ scheduler, storage, executor: running, folder, token },
    impostor: tls?.impostor,
  })
  const unstarted = await whyUnstarted(scheduler, running)
  if (unstarted !== undefined) {
    const { output } = running
    for (const { number, title } of scenarios) yield { number, title, fault: unstarted, output }
    return scenarios.length
  }
  let done = 0
  for (const { number, title, run } of scenarios) {
    scheduler.tampered = tampered?.[number]
    const fault = await run(stage).then(() => stage.faults().join('; ') || undefined, whyOf)
    done += 1
    yield { number, title, fault, output: fault === undefined ? '' : running.output }
    if (fault !== undefined) break
  }
  return done
}

/** It would not for the next scenario either. */
function whyUnstarted(
  scheduler: ScriptedScheduler,
  { exited }: ExecutorProcess,
): Promise<string | undefined> {
  const attached = scheduler.attachment(1).then(() => undefined, whyOf)
  const ended = exited.then(
    ({ code, signal }) => `the process ended (${signal ?? `exit code ${code}`}) before it attached`,
  )
  return Promise.race([attached, ended])
}

function whyOf(error: unknown): string {
  if (error instanceof Broken) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
