import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { expect, test } from 'vitest'
import {
  createManualValuesClock,
  createValuesStore,
  observeReusableValues,
  reusable,
} from './mod.ts'

async function setup() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  return {
    meter: provider.getMeter('test'),
    /** Points as `metric{attributes}` to value. */
    async collect() {
      exporter.reset()
      await reader.forceFlush()
      const metrics = exporter.getMetrics().flatMap((m) => m.scopeMetrics.flatMap((s) => s.metrics))
      return new Map(
        metrics.flatMap(({ descriptor, dataPoints }) =>
          dataPoints.map((point) => {
            const attributes = Object.values(point.attributes).join(' ')
            return [`${descriptor.name} ${attributes}`, point.value as number] as const
          }),
        ),
      )
    },
    [Symbol.asyncDispose]: () => provider.shutdown(),
  }
}

test('the statistics of every function are metrics, until disposed', async () => {
  await using it = await setup()
  const clock = createManualValuesClock()
  using store = createValuesStore({ clock })
  const rate = reusable(
    (currency: unknown) => {
      clock.advance(500)
      return currency === 'none' ? undefined : 1
    },
    { name: 'rate', store },
  )
  const observed = observeReusableValues({ store, meter: it.meter })
  rate('EUR')
  rate('EUR')
  rate([1])
  rate('none')
  rate('USD')
  await rate.refreshFor('USD')
  const points = await it.collect()
  expect(Object.fromEntries(points)).toMatchObject({
    'offstage.values.calls rate hit': 1,
    'offstage.values.calls rate miss': 3,
    'offstage.values.calls rate uncacheable': 1,
    'offstage.values.unremembered rate void': 1,
    'offstage.values.drops rate refresh': 1,
    'offstage.values.entries rate': 1,
    'offstage.values.memory rate': store.bytes,
    'offstage.values.computing rate': 1.5,
    'offstage.values.saved rate': 0.5,
    'offstage.values.verdict rate too-early': 1,
  })
  expect(points.get('offstage.values.age rate')).toBeGreaterThan(1)
  observed[Symbol.dispose]()
  rate('EUR')
  expect((await it.collect()).get('offstage.values.calls rate hit') ?? 1).toBe(1)
})
