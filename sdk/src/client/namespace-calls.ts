import { methodFault, poolFault } from '@offstage/proto/field-rules'
import type { Method as WireMethod } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { abortSignal, flag, rule } from '../arguments/rules.ts'
import type { LaneName } from '../jobs/method.ts'
import { laneNameFrom } from '../jobs/policies.ts'
import type { Calls } from './calls.ts'
import { wholeWithin } from './limit-rules.ts'

/** A method as executors announced it, and how it stands. */
export interface MethodInfo {
  readonly name: string
  /** One sentence for people; empty for none. */
  readonly description: string
  /** JSON Schema of the parameters and of the result, as JSON; empty where not known. */
  readonly paramsSchema: string
  readonly resultSchema: string
  /** The lane it runs in by default. */
  readonly lane: LaneName
  /** Whether its queued jobs are held back. */
  readonly isPaused: boolean
  /** How many attached executors run it; 0 for a method of executors that are gone. */
  readonly executorCount: number
  /** The versions that attached executors announce, in the order of their texts, and how many do. */
  readonly versions: readonly { readonly version: string; readonly executorCount: number }[]
  /** Whether the caller may start it (row J5). */
  readonly isStartable: boolean
  /** Who may start it; not set: whoever may start jobs. Its users are told to those who may see the jobs of others. */
  readonly startableBy?: { readonly roles: readonly string[]; readonly users: readonly string[] }
  /** Whether its handler acts with the rights of a service. */
  readonly isPrivileged: boolean
  /** CEL, by the label that its jobs get whoever starts them. */
  readonly labelExpressions: Readonly<Record<string, string>>
  /** What is stored of it cannot be read by the scheduler, in words: it cannot be started, and the fields but its name tell nothing. */
  readonly unreadable?: string
}

/** How something is paused. */
export interface PauseOptions {
  /** Cancel what runs, with a grace of 10 s. Default false: it goes on. */
  readonly cancelRunning?: boolean
}

const PAUSE_RULES: Rules<PauseOptions> = { cancelRunning: flag }

/** How methods are listed. */
export interface ListMethodsOptions {
  /** Read at once, 1 to 1,000. Default 50. */
  readonly pageSize?: number
  readonly signal?: AbortSignal
}

const LIST_RULES: Rules<ListMethodsOptions> = {
  pageSize: wholeWithin(1, LIMITS.pageSizeMax),
  signal: abortSignal,
}

const methodName = rule(
  'the name of a method',
  (value) => typeof value === 'string' && methodFault(value) === undefined,
)

const poolName = rule(
  'the name of a pool',
  (value) => typeof value === 'string' && value !== '' && poolFault(value) === undefined,
)

/** What holds for the client's namespace as a whole (row J20); told at the methods of the client that pass on to it. */
export class NamespaceCalls {
  readonly #calls: Calls

  constructor(calls: Calls) {
    this.#calls = calls
  }

  async pauseMethod(method: string, options: PauseOptions): Promise<void> {
    methodName(method, 'the method')
    const { cancelRunning = false } = checkOptions('pauseMethod', options, PAUSE_RULES)
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, method, cancelRunning }
    await this.#calls.callScheduler(namespaces.pauseMethod.bind(namespaces), request)
  }

  async resumeMethod(method: string): Promise<void> {
    methodName(method, 'the method')
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, method }
    await this.#calls.callScheduler(namespaces.resumeMethod.bind(namespaces), request)
  }

  async pausePool(pool: string, options: PauseOptions): Promise<void> {
    poolName(pool, 'the pool')
    const { cancelRunning = false } = checkOptions('pausePool', options, PAUSE_RULES)
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, pool, cancelRunning }
    await this.#calls.callScheduler(namespaces.pausePool.bind(namespaces), request)
  }

  async resumePool(pool: string): Promise<void> {
    poolName(pool, 'the pool')
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, pool }
    await this.#calls.callScheduler(namespaces.resumePool.bind(namespaces), request)
  }

  async pauseNamespace(options: PauseOptions): Promise<void> {
    const { cancelRunning = false } = checkOptions('pauseNamespace', options, PAUSE_RULES)
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace, cancelRunning }
    await this.#calls.callScheduler(namespaces.pauseNamespace.bind(namespaces), request)
  }

  async resumeNamespace(): Promise<void> {
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace }
    await this.#calls.callScheduler(namespaces.resumeNamespace.bind(namespaces), request)
  }

  async isPaused(): Promise<boolean> {
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#namespace }
    const call = namespaces.getNamespace.bind(namespaces)
    const { namespace } = await this.#calls.callScheduler(call, request)
    return namespace?.paused ?? false
  }

  async *listMethods(
    options: ListMethodsOptions = {},
  ): AsyncGenerator<MethodInfo, void, undefined> {
    checkOptions('listMethods', options, LIST_RULES)
    const { pageSize = 0, signal } = options
    const { namespaces } = this.#calls.connection
    const call = namespaces.listMethods.bind(namespaces)
    for (let pageToken = ''; ; ) {
      const request = { namespace: this.#namespace, pageSize, pageToken }
      const page = await this.#calls.callScheduler(call, request, { signal })
      yield* page.methods.map(methodInfoFrom)
      pageToken = page.nextPageToken
      if (pageToken === '') return
    }
  }

  get #namespace(): string {
    return this.#calls.identity.namespace
  }
}

function methodInfoFrom(method: WireMethod): MethodInfo {
  const { name, description, paramsSchema, resultSchema, lane, paused, executorCount } = method
  const schemas = { paramsSchema, resultSchema }
  return {
    name,
    description,
    ...schemas,
    lane: laneNameFrom(lane),
    isPaused: paused,
    executorCount,
    versions: method.versions,
    isStartable: method.startable,
    ...(method.startableBy && { startableBy: method.startableBy }),
    isPrivileged: method.privileged ?? false,
    labelExpressions: method.labelExpressions,
    ...(method.unreadable && { unreadable: method.unreadable }),
  }
}
