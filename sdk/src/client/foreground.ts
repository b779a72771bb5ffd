/**
 * Jobs in the process of their caller (row L7): the client decides by the mode of a start, and the runner, which it was connected with,
 * attaches a session that the start names.
 */
import { randomUUID } from 'node:crypto'
import { url as inspectorUrl } from 'node:inspector'
import { setTimeout as pause } from 'node:timers/promises'
import { type JobSpec, ExecutionMode as Mode } from '@offstage/proto/jobs'
import { type ChannelTls, OffstageError } from '../grpc/mod.ts'
import type { Credential } from './credential.ts'
import type { JobIdentity } from './identity.ts'
import type { ExecutionMode, StartOptions } from './options.ts'

/** What runs jobs in the process of their caller: `foregroundRunner` of `@offstage/executor` makes one. */
export interface ForegroundRunner {
  /** Whether `auto` chooses it whatever executors there are, as it does under a debugger. */
  readonly prefer: boolean
  /** The methods whose handlers it has. Rejects where its modules cannot be loaded. */
  methods(): Promise<{ has(method: string): boolean }>
  /** Attaches a session for a client. Rejects where the scheduler does not take it. */
  open(home: ForegroundHome): Promise<ForegroundSession>
}

/** Where the jobs of a client come from. */
export interface ForegroundHome {
  /** `host:port` of the scheduler. */
  readonly scheduler: string
  readonly namespace: string
  /** Of whoever starts the jobs, who is the one to attach. */
  readonly credential: Credential
  /** Absent: plain text. */
  readonly tls?: ChannelTls
  /** A client, an `Offstage`, that acts in a job, over the connection of the caller's own. */
  forJob(job: JobIdentity): unknown
}

export interface ForegroundSession {
  /** As `executor_session_id`; another one once a lease was lost. Rejects where the scheduler does not take that for long. */
  id(): Promise<string>
  /** Waits a while for what runs, hands back the rest and leaves. */
  close(): Promise<void>
}

/** What of a start says where it runs. */
export type Place = Pick<JobSpec, 'mode' | 'executorSessionId'>

const MODES = {
  background: Mode.EXECUTION_MODE_BACKGROUND,
  foreground: Mode.EXECUTION_MODE_FOREGROUND,
  auto: Mode.EXECUTION_MODE_AUTO,
} as const satisfies Record<ExecutionMode, Mode>

/** What `mode` may say. */
export const executionModes: readonly string[] = Object.keys(MODES)

/** `auto` is the foreground then, so that breakpoints in handlers are met. */
function isDebugging(): boolean {
  return inspectorUrl() !== undefined || process.env.OFFSTAGE_FOREGROUND === 'on'
}

/** The foreground of a client: attached by the first start that wants it. */
export class Foreground {
  readonly #runner: ForegroundRunner
  readonly #home: Omit<ForegroundHome, 'forJob'>
  /** Whose jobs it runs. */
  #client: Pick<ForegroundHome, 'forJob'> | undefined
  #opening: Promise<ForegroundSession> | undefined

  constructor(runner: ForegroundRunner, home: Omit<ForegroundHome, 'forJob'>) {
    this.#runner = runner
    this.#home = home
  }

  /** The jobs it runs act by the connection of this client. */
  runFor(client: Pick<ForegroundHome, 'forJob'>): void {
    this.#client = client
  }

  /** Which of them is called where one is a fallback the scheduler knows. */
  async hasAny(methods: readonly string[]): Promise<boolean> {
    const own = await this.#runner.methods()
    return methods.some((method) => own.has(method))
  }

  get isPreferred(): boolean {
    return this.#runner.prefer || isDebugging()
  }

  /** Tried anew by the next start where it failed. */
  async sessionId(): Promise<string> {
    const client = this.#client
    if (client === undefined) throw new Error('a foreground without a client')
    this.#opening ??= this.#runner.open({ ...this.#home, forJob: (job) => client.forJob(job) })
    return (await this.#opened(this.#opening)).id()
  }

  async #opened(opening: Promise<ForegroundSession>): Promise<ForegroundSession> {
    try {
      return await opening
    } catch (error) {
      this.#opening = undefined
      throw error
    }
  }

  async close(): Promise<void> {
    const session = await this.#opening?.catch(() => undefined)
    await session?.close()
  }
}

/**
 * Where a start is to run; a promise only where it may be here.
 * @throws TypeError where the foreground is forced, and there is no runner or no handler.
 */
export function placeOf(
  foreground: Foreground | undefined,
  method: string,
  options: Pick<StartOptions, 'mode' | 'executorSessionId' | 'fallbackMethod'>,
): Place | Promise<Place> {
  const { mode, executorSessionId = '', fallbackMethod } = options
  const asked = mode === undefined ? Mode.EXECUTION_MODE_UNSPECIFIED : MODES[mode]
  const isHere = mode === 'foreground' || mode === 'auto'
  if (!isHere || executorSessionId !== '') return { mode: asked, executorSessionId }
  // What is forced may be the fallback; else the scheduler is to choose an executor by the method.
  const isFallbackHere = mode === 'foreground' && fallbackMethod
  return placeHere(foreground, isFallbackHere ? [method, fallbackMethod] : [method], mode)
}

/** How long a start goes on asking for a session that the scheduler does not know. */
export const UNKNOWN_MS_MAX = 15_000
export const ASK_AGAIN_MS = 250

export function isSessionUnknown(error: unknown): boolean {
  return error instanceof OffstageError && error.reason === 'EXECUTOR_SESSION_NOT_FOUND'
}

/**
 * Starts where a job may run here; again where the scheduler does not know the session: its lease has run out, as where this process
 * or the scheduler stood still, and it attaches anew. What is only to run here first is then left to an executor, if one can begin it.
 */
export async function startHere<T>(
  first: Promise<Place>,
  again: () => Place | Promise<Place>,
  start: (place: Place) => Promise<T>,
  signal: AbortSignal | undefined,
  withinMs = UNKNOWN_MS_MAX,
): Promise<T> {
  const untilMs = performance.now() + withinMs
  for (let place = await first; ; place = await again()) {
    try {
      return await start(place)
    } catch (error) {
      if (!isSessionUnknown(error)) throw error
      if (performance.now() > untilMs) {
        if (place.mode !== Mode.EXECUTION_MODE_FOREGROUND_FIRST) throw error
        return start({ ...place, mode: Mode.EXECUTION_MODE_AUTO })
      }
    }
    await pause(ASK_AGAIN_MS, undefined, { signal })
  }
}

/** Undefined where it may run elsewhere, and the scheduler does not take this process now. */
async function sessionFor(
  foreground: Foreground,
  mode: 'foreground' | 'auto',
): Promise<string | undefined> {
  try {
    return await foreground.sessionId()
  } catch (error) {
    const isAway = error instanceof OffstageError && error.reason === 'SERVICE_UNREACHABLE'
    if (mode === 'auto' && isAway) return undefined
    throw error
  }
}

/** The scheduler finds an executor, or refuses it as one whose session was lost: nobody has this one. */
function nowhereHere(): Place {
  return { mode: Mode.EXECUTION_MODE_AUTO, executorSessionId: randomUUID() }
}

async function placeHere(
  foreground: Foreground | undefined,
  methods: readonly string[],
  mode: 'foreground' | 'auto',
): Promise<Place> {
  if (foreground !== undefined && (await foreground.hasAny(methods))) {
    const executorSessionId = await sessionFor(foreground, mode)
    if (executorSessionId === undefined) return nowhereHere()
    if (mode === 'foreground') return { mode: Mode.EXECUTION_MODE_FOREGROUND, executorSessionId }
    const { isPreferred } = foreground
    const { EXECUTION_MODE_AUTO, EXECUTION_MODE_FOREGROUND_FIRST } = Mode
    return {
      mode: isPreferred ? EXECUTION_MODE_FOREGROUND_FIRST : EXECUTION_MODE_AUTO,
      executorSessionId,
    }
  }
  if (mode === 'auto') return { mode: Mode.EXECUTION_MODE_BACKGROUND, executorSessionId: '' }
  throw new TypeError(
    foreground === undefined
      ? "mode is 'foreground', and this client has nothing to run jobs with: connect with { foreground: foregroundRunner({ jobs }) } of @offstage/executor"
      : `mode is 'foreground', and this process has no handler of ${methods.join(' or ')}: give it to foregroundRunner, the job or its module`,
  )
}
