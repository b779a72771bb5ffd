/** Who has the client's namespace exclusively (row L10): asked for, watched, and waited out by idle handlers. */
import type { Namespace } from '@offstage/proto/jobs'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal } from '../arguments/rules.ts'
import type { IdleHandlers } from '../idle/mod.ts'
import { millisWithin } from './limit-rules.ts'
import type { Session } from './session.ts'

/** Somebody has the namespace exclusively, or is about to. */
export interface ExclusiveHolder {
  readonly owner: string
  /** Other starts are refused since then. */
  readonly askedAt: Date
  /** Nothing of others runs since then; not set while it is waited for. */
  readonly since?: Date
  /** It ends then, unless its lease is renewed. */
  readonly until: Date
}

export interface ExclusiveWatchOptions {
  /** How often is looked, in milliseconds, 100 to 3,600,000. Default 1,000. */
  readonly everyMs?: number
  /** Ends it without an error. */
  readonly signal?: AbortSignal
}

const RULES: Rules<ExclusiveWatchOptions> = {
  everyMs: millisWithin(100, 3_600_000),
  signal: abortSignal,
}

export async function readExclusiveHolder(session: Session): Promise<ExclusiveHolder | undefined> {
  const { namespaces } = session.connection
  const request = { namespace: session.identity.namespace }
  const call = namespaces.getNamespace.bind(namespaces)
  return holderFrom((await session.callScheduler(call, request)).namespace)
}

function holderFrom(namespace: Namespace | undefined): ExclusiveHolder | undefined {
  const { exclusiveOwner: owner = '', exclusiveAskTime: askedAt, exclusiveTime } = namespace ?? {}
  const until = namespace?.exclusiveExpireTime
  if (owner === '' || askedAt === undefined || until === undefined) return undefined
  return { owner, askedAt, ...(exclusiveTime && { since: exclusiveTime }), until }
}

/** How it is, and each time it has become otherwise: renewals are none. */
export async function* watchExclusiveHolder(
  session: Session,
  options: ExclusiveWatchOptions = {},
): AsyncGenerator<ExclusiveHolder | undefined, void, undefined> {
  const { everyMs = 1_000, signal } = checkOptions('watchExclusiveMode', options, RULES)
  let told: string | undefined
  while (!signal?.aborted) {
    const holder = await readExclusiveHolder(session)
    const { owner, askedAt, since } = holder ?? {}
    const now = JSON.stringify([owner, askedAt, since])
    if (now !== told) {
      told = now
      yield holder
    }
    await pause(session, everyMs, signal)
  }
}

function pause({ clock }: Session, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = clock.startTimer(resolve, ms, false)
  const stop = () => {
    timer.cancel()
    resolve()
  }
  if (signal?.aborted) stop()
  signal?.addEventListener('abort', stop, { once: true })
  return promise.finally(() => signal?.removeEventListener('abort', stop))
}

/** Holds the handlers back while somebody else has the namespace, until it is disposed (row I4). */
export function blockWhileExclusive(
  session: Session,
  handlers: Pick<IdleHandlers, 'blockAll'>,
  options: Omit<ExclusiveWatchOptions, 'signal'>,
): Disposable {
  const { everyMs = 1_000 } = checkOptions('blockWhileExclusive', options, RULES)
  const end = new AbortController()
  let block: Disposable | undefined
  const release = () => {
    block?.[Symbol.dispose]()
    block = undefined
  }
  const watch = async () => {
    for await (const holder of watchExclusiveHolder(session, { everyMs, signal: end.signal })) {
      if (holder === undefined || session.leaseId !== '') release()
      else block ??= handlers.blockAll()
    }
  }
  const watchOn = async () => {
    while (!end.signal.aborted) {
      // Nobody knows whether it still is: what was held back stays so.
      await watch().catch(() => pause(session, everyMs, end.signal))
    }
    release()
  }
  void watchOn()
  return { [Symbol.dispose]: () => end.abort() }
}
