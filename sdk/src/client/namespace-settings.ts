import type { Namespace } from '@offstage/proto/jobs'
import { checkOptions, type Rules } from '../arguments/check-options.ts'
import { text } from '../arguments/rules.ts'
import type { Calls } from './calls.ts'
import { type MethodLimit, methodLimitFrom, methodLimits, wireLimitFrom } from './method-limits.ts'
import {
  type ExpiredJobs,
  expiredFrom,
  type RetentionInForce,
  type RetentionRule,
  retentionFrom,
  retentionInForceFrom,
  retentionRules,
} from './retention.ts'

/** What is set for a namespace as a whole. */
export interface NamespaceSettings {
  readonly name: string
  /** Changes with each change, of pauses too. */
  readonly etag: string
  readonly isPaused: boolean
  /** The pools that are paused themselves, by name; `default` is that of jobs that name none. */
  readonly pausedPools: readonly string[]
  /** One for each kind and end (row J12). */
  readonly retention: readonly RetentionInForce[]
  /** By method (row J20): those that administrators have set. */
  readonly limits: readonly MethodLimit[]
  /** Those that are in force because the definitions of their methods have them, and none is set. */
  readonly announcedLimits: readonly MethodLimit[]
}

/** What is to change; each is replaced as a whole, and what is not given stays as it is. */
export interface SettingsChange {
  /** Kinds and ends that no rule names have their defaults. */
  readonly retention?: readonly RetentionRule[]
  /** Methods that none names have those of their definitions. */
  readonly limits?: readonly MethodLimit[]
  /** Of the settings as they were read: changes nothing where they are others by now. */
  readonly etag?: string
}

const CHANGE_RULES: Rules<SettingsChange> = {
  retention: retentionRules,
  limits: methodLimits,
  etag: text,
}

/** What administrators set for the client's namespace; whoever may see it reads. */
export class NamespaceSettingsCalls {
  readonly #calls: Calls

  /** Part of a client: `offstage.settings`. */
  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** As they are in force. */
  async get(): Promise<NamespaceSettings> {
    const { namespaces } = this.#calls.connection
    const request = { namespace: this.#calls.identity.namespace }
    const call = namespaces.getNamespace.bind(namespaces)
    const { namespace } = await this.#calls.callScheduler(call, request)
    return settingsFrom(namespace)
  }

  /**
   * Changes them, and tells them as they are in force then. Not repeated by itself.
   * @throws OffstageError ETAG_MISMATCH where somebody has changed them since; PERMISSION_DENIED to who is no administrator.
   */
  async update(change: SettingsChange): Promise<NamespaceSettings> {
    checkOptions('settings.update', change, CHANGE_RULES)
    const { retention = [], limits = [], etag = '' } = change
    const { namespaces } = this.#calls.connection
    const { namespace: name } = this.#calls.identity
    const updateMask = (['retention', 'limits'] as const).filter(
      (name) => change[name] !== undefined,
    )
    const call = namespaces.updateNamespace.bind(namespaces)
    const settings = {
      ...NOTHING,
      ...{ name, etag },
      retention: retentionFrom(retention),
      limits: limits.map(wireLimitFrom),
    }
    const request = { namespace: settings, updateMask }
    const { namespace } = await this.#calls.callScheduler(call, request, { attempts: 1 })
    return settingsFrom(namespace)
  }

  /**
   * What the next sweep of retention would remove, by these rules or by those in force, of each kind and end that has finished
   * jobs. Removes nothing.
   * @throws OffstageError PERMISSION_DENIED to who is neither operator nor administrator.
   */
  async previewRetention(rules: readonly RetentionRule[] = []): Promise<ExpiredJobs[]> {
    retentionRules(rules, 'the rules')
    const { namespaces } = this.#calls.connection
    const { namespace } = this.#calls.identity
    const request = { namespace, retention: retentionFrom(rules) }
    const call = namespaces.previewRetention.bind(namespaces)
    const { expired } = await this.#calls.callScheduler(call, request)
    return expired.map(expiredFrom)
  }
}

const NOTHING: Namespace = {
  name: '',
  retention: [],
  limits: [],
  announcedLimits: [],
  exclusiveOwner: '',
  exclusiveTime: undefined,
  exclusiveAskTime: undefined,
  exclusiveExpireTime: undefined,
  etag: '',
  paused: false,
  pausedPools: [],
}

function settingsFrom(namespace: Namespace = NOTHING): NamespaceSettings {
  const { name, etag, paused: isPaused, pausedPools, retention } = namespace
  return {
    ...{ name, etag, isPaused, pausedPools },
    retention: retention.map(retentionInForceFrom),
    limits: namespace.limits.map(methodLimitFrom),
    announcedLimits: namespace.announcedLimits.map(methodLimitFrom),
  }
}
