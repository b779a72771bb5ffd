import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { flag, numberRule } from '../arguments/rules.ts'
import type { Progress } from '../client/events.ts'
import type { Offstage } from '../client/offstage.ts'
import type { RunOptions } from '../client/options.ts'
import { OffstageError } from '../grpc/mod.ts'
import { defineMethod } from '../jobs/define-method.ts'
import type { JobMethod } from '../jobs/method.ts'
import type { ReusableOptions } from '../values/options.ts'
import type { RemoteCall, RemoteTier } from '../values/remote-tier.ts'
import { type Reusable, reusable } from '../values/reusable.ts'
import type { FreezeMode } from '../values/share.ts'
import type { Shared } from '../values/shared-type.ts'
import { callsBefore, callText, cycleOf, isAnsweringAs } from './answering.ts'
import { checkedAnswer } from './check-answer.ts'
import { WatchedCall } from './circles.ts'
import type { ReusableMethod, TierAnswer, TierAsk } from './tier-job.ts'

/** How the other tier is asked. */
export interface TierOptions {
  /**
   * Whether equal calls of all processes compute once: one that is made while another is under way gets its answer. Default false: each
   * process asks for itself, once for all of its callers.
   */
  readonly singleFlight?: boolean
  /**
   * How long a call waits for an executor to take it, milliseconds; past that it fails with QUEUE_DEADLINE_EXCEEDED, or computes here where that
   * is possible. Default: 5,000 for `tierOf`; as long as the method says for `remoteReusable`, which has nowhere else to go.
   */
  readonly queueMs?: number
}

/** How a remote function is remembered here; as `reusable` does, its times from here on at most. */
export interface RemoteOptions<P extends readonly unknown[], V, F extends FreezeMode>
  extends TierOptions,
    Omit<ReusableOptions<P, Promise<V>, F>, 'tier' | 'tags'> {}

const TIER_RULES: Rules<TierOptions> = {
  singleFlight: flag,
  queueMs: numberRule('milliseconds, 1 or more', (value) => value >= 1),
}
/** Where the value can be computed here instead. */
const QUEUE_MS = 5_000
const EXPOSED = 'reusable.'

/**
 * A function whose values executors compute and remember (row C8), remembered here, too: for as long as there, and not beyond a refresh, since
 * the client's values are connected with those of the namespace by it (`connectValues`). Its errors are those of `offstage.run`.
 *
 * `exposed` is what `exposeReusable` made, or its method by name with its type: `remoteReusable<typeof exposedRate>(offstage,
 * 'reusable.exchangeRate')`, of which an `import type` is enough.
 *
 * @throws TypeError for an option that is none; Error for a name that a function has here: give another `store`.
 */
export function remoteReusable<P extends readonly unknown[], V, F extends FreezeMode = 'deep'>(
  client: Offstage,
  exposed: ReusableMethod<P, V>,
  options?: RemoteOptions<P, V, F>,
): Reusable<P, Promise<Shared<V, F>>>
export function remoteReusable<M extends ReusableMethod<never, unknown>>(
  client: Offstage,
  exposed: string,
  options?: RemoteOptions<CallOf<M>['params'], CallOf<M>['value'], 'deep'>,
): Reusable<CallOf<M>['params'], Promise<Shared<CallOf<M>['value'], 'deep'>>>
export function remoteReusable(
  client: Offstage,
  exposed: string | ReusableMethod<never, unknown>,
  options: RemoteOptions<readonly unknown[], unknown, FreezeMode> = {},
): unknown {
  const { singleFlight, queueMs, ...own } = options
  const asked = { singleFlight, queueMs }
  const tier = askedTier(client, exposed, asked, 'remoteReusable')
  const remote = reusable(unreachable, { name: nameOf(exposed), ...own, tier })
  client.connectValues({ store: options.store })
  return remote
}

/** Parameters and value of a function by the type of what exposes it. */
export type CallOf<M> = M extends { readonly call?: (...params: infer P) => infer V }
  ? { readonly params: P; readonly value: V }
  : never

/**
 * The tier for a function that computes here where no executor takes the call, or it fails there: `reusable(fn, { tier: tierOf(offstage,
 * exposed) })`. What is computed here stays here. A function that is exposed itself by this very method computes where it is asked so. Connect the values of the client (`connectValues`), so that refreshes reach both sides.
 */
export function tierOf(
  client: Offstage,
  exposed: string | ReusableMethod<never, unknown>,
  { queueMs = QUEUE_MS, ...options }: TierOptions = {},
): RemoteTier {
  return askedTier(client, exposed, { ...options, queueMs }, 'tierOf')
}

function askedTier(
  client: Offstage,
  exposed: string | ReusableMethod<never, unknown>,
  options: TierOptions,
  call: 'remoteReusable' | 'tierOf',
): RemoteTier {
  const isRequired = call === 'remoteReusable'
  const { singleFlight = false, queueMs } = checkOptions(call, options, TIER_RULES)
  const target: JobMethod<TierAsk, TierAnswer<unknown>> = typeof exposed === 'string'
    ? defineMethod({ method: exposed })
    : exposed
  const { method } = target
  const deadlines = queueMs === undefined ? undefined : { queueMs }
  const ask = async (asked: TierAsk, own: RunOptions) =>
    checkedAnswer(method, await client.run(target, asked, { ...own, deadlines }))
  const answer = async (asked: TierAsk, own: RunOptions) => {
    if (!singleFlight) return ask(asked, own)
    const { params, user, privileged, epoch } = asked
    // Who may see the jobs of others would be given the one that another user has under way.
    const key = { params, user, privileged, epoch, caller: await client.caller() }
    try {
      return await ask(asked, { ...own, key, onKeyConflict: 'return-running' })
    } catch (error) {
      // A job of another user has it all the same: nobody gets the answer of somebody else.
      if (!(error instanceof OffstageError) || error.reason !== 'JOB_KEY_TAKEN') throw error
      return ask(asked, own)
    }
  }
  return {
    isRequired,
    cycleOf: ({ params }) => cycleOf(method, params),
    async fetch({ params, user, privileged, signal, waiters }: RemoteCall) {
      if (!isRequired && isAnsweringAs(method)) return undefined
      const waiting = callsBefore(method, params)
      const epoch = client.refreshPort.knownEpoch
      const asked: TierAsk = {
        params,
        user,
        privileged,
        epoch,
        ...(waiting.length > 0 && { waiting }),
      }
      if (waiters === undefined || !hasAny(waiters())) return answer(asked, { signal })
      const watched = new WatchedCall(callText(method, params), waiters)
      const onProgress = ({ extra }: Progress) => watched.heard(extra)
      return watched.until(answer(asked, { signal, onProgress }))
    },
    // Executors remember what they have computed themselves alone: what others say cannot be checked.
    offer: async () => {},
  }
}

/** What nobody waits for in a job closes no circle. */
function hasAny(waiters: Iterable<object>): boolean {
  for (const _ of waiters) return true
  return false
}

function nameOf(exposed: string | ReusableMethod<never, unknown>): string {
  if (typeof exposed !== 'string') return exposed.reusable
  return exposed.startsWith(EXPOSED) ? exposed.slice(EXPOSED.length) : exposed
}

async function unreachable(): Promise<never> {
  throw new Error('a remote function has nothing to compute with')
}
