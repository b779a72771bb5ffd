/**
 * Statistics as OpenTelemetry metrics (row C7). Read when the meter collects; a call costs nothing
 * more.
 *
 * | metric | kind | unit | attributes |
 * |---|---|---|---|
 * | offstage.values.calls | counter | {call} | function, outcome: hit, stale, miss, joined, uncacheable, outside_scope |
 * | offstage.values.revalidations | counter | {computation} | function; behind stale answers |
 * | offstage.values.fallbacks | counter | {computation} | function; failed, answered with the old value |
 * | offstage.values.unremembered | counter | {value} | function, reason: void, refused, too_large, outdated, failed, aborted |
 * | offstage.values.drops | counter | {value} | function, cause: age, idle, bytes, heap, refresh, closed, replaced |
 * | offstage.values.entries | up-down counter | {value} | function |
 * | offstage.values.memory | up-down counter | By | function |
 * | offstage.values.age | gauge | s | function; mean of what is held |
 * | offstage.values.computing | counter | s | function |
 * | offstage.values.saved | counter | s | function; computing time that hits did not spend |
 * | offstage.values.verdict | gauge | 1 | function, verdict; 1 for the verdict that holds |
 */
import { type BatchObservableResult, type Meter, metrics } from '@opentelemetry/api'
import { checkOptions } from '../arguments/check-options.ts'
import { isObject, rule } from '../arguments/rules.ts'
import { DROP_CAUSES, type ValuesStatistics } from './statistics.ts'
import { store as aStore, defaultValuesStore, type ValuesStore } from './store.ts'

const RULES = {
  store: aStore,
  meter: rule('a Meter of OpenTelemetry', (value) => isObject(value) && 'createCounter' in value),
}

/**
 * Reports a store's statistics to `meter` until disposed. Call it after the OpenTelemetry SDK is
 * set up: a meter asked for earlier stays mute. Defaults: the process's store, the global meter
 * `@offstage/sdk`.
 */
export function observeReusableValues(
  options: { readonly store?: ValuesStore; readonly meter?: Meter } = {},
): Disposable {
  checkOptions('observeReusableValues', options, RULES)
  const store = options.store ?? defaultValuesStore
  const meter = options.meter ?? metrics.getMeter('@offstage/sdk')
  const instruments = instrumentsOf(meter)
  const observe = (result: BatchObservableResult) => {
    for (const statistics of store.statistics()) report(result, instruments, statistics)
  }
  const observed = Object.values(instruments)
  meter.addBatchObservableCallback(observe, observed)
  return { [Symbol.dispose]: () => meter.removeBatchObservableCallback(observe, observed) }
}

type Instruments = ReturnType<typeof instrumentsOf>

function instrumentsOf(meter: Meter) {
  const counter = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(`offstage.values.${name}`, { unit, description })
  const upDown = (name: string, unit: string, description: string) =>
    meter.createObservableUpDownCounter(`offstage.values.${name}`, { unit, description })
  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(`offstage.values.${name}`, { unit, description })
  return {
    calls: counter('calls', '{call}', 'Calls of reusable functions'),
    revalidations: counter('revalidations', '{computation}', 'Computations behind stale answers'),
    fallbacks: counter('fallbacks', '{computation}', 'Failures answered with the old value'),
    unremembered: counter(
      'unremembered',
      '{value}',
      'Computations whose result was not remembered',
    ),
    drops: counter('drops', '{value}', 'Remembered values dropped'),
    entries: upDown('entries', '{value}', 'Values held'),
    memory: upDown('memory', 'By', 'Estimated bytes held'),
    age: gauge('age', 's', 'Mean age of the values held'),
    computing: counter('computing', 's', 'Time spent computing'),
    saved: counter('saved', 's', 'Computing time that hits did not spend'),
    verdict: gauge('verdict', '1', 'Whether remembering pays'),
  }
}

function report(result: BatchObservableResult, to: Instruments, of: ValuesStatistics): void {
  const attributes = { function: of.name }
  const outcomes = {
    hit: of.hits - of.staleHits,
    stale: of.staleHits,
    miss: of.misses,
    joined: of.joins,
    uncacheable: of.uncacheable,
    outside_scope: of.outsideScope,
  }
  for (const [outcome, calls] of Object.entries(outcomes)) {
    result.observe(to.calls, calls, { ...attributes, outcome })
  }
  result.observe(to.revalidations, of.revalidations, attributes)
  result.observe(to.fallbacks, of.fallbacks, attributes)
  const reasons = {
    void: of.voids,
    refused: of.refused,
    too_large: of.tooLarge,
    outdated: of.outdated,
    failed: of.failures,
    aborted: of.aborted,
  }
  for (const [reason, values] of Object.entries(reasons)) {
    result.observe(to.unremembered, values, { ...attributes, reason })
  }
  for (const cause of DROP_CAUSES)
    result.observe(to.drops, of.drops[cause], { ...attributes, cause })
  result.observe(to.entries, of.entries, attributes)
  result.observe(to.memory, of.bytes, attributes)
  result.observe(to.age, of.ageMsMean / 1000, attributes)
  result.observe(to.computing, of.computeMs / 1000, attributes)
  result.observe(to.saved, of.savedMs / 1000, attributes)
  result.observe(to.verdict, 1, { ...attributes, verdict: of.verdict })
}
