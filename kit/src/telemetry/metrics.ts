/**
 * What a process tells Prometheus. Parts say what they measure as {@link Metric}s, which are read when somebody asks; counting
 * costs them what their own tallies cost. What every process has (processor, memory, event loop, garbage) is added by prom-client.
 *
 * 1. Nothing is loaded, watched or rendered in a process that is not asked for metrics.
 * 2. Whoever comes while an answer is being made is given that answer: many that ask cost what one costs.
 * 3. Labels are what operators configure or states of a closed list, never what callers say.
 */
import { readFileSync } from 'node:fs'
import type { Registry } from 'prom-client'
import { createService, type Service } from '../lifecycle/mod.ts'
import { openMetricsFrom } from './open-metrics.ts'

export interface Reading {
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

export interface Metric {
  /** As Prometheus names them: with the unit, and a counter with `_total`. */
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly labels?: readonly string[]
  /** One number, or one for each set of labels. */
  read(): number | readonly Reading[]
}

/** What is measured together. */
export interface Measures {
  readonly metrics: readonly Metric[]
  /** Brings up to date what is read next. Must not throw. */
  prepare?(): Promise<void>
}

export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** Started, it watches the process. */
export interface Metrics extends Service {
  add(measures: Measures): void
  /** Everything as of now, in the format that `accept` asks for: OpenMetrics, or else the plain text of Prometheus. */
  render(accept?: string): Promise<Exposition>
}

export interface MetricsOptions {
  /** Such as `scheduler`. */
  readonly service: string
  /** Why there should be no work for the process now; undefined where there may be. */
  unready(): string | undefined
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8'
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

export function createMetrics({ service, unready }: MetricsOptions): Metrics {
  const measured: Measures[] = [{ metrics: ofEveryProcess(service, unready) }]
  let registry: Promise<Registry> | undefined
  const open = async () => {
    const opened = await openRegistry()
    for (const { metrics } of measured) await register(opened, metrics)
    return opened
  }
  const text = async () => {
    registry ??= open()
    await Promise.all(measured.map((each) => each.prepare?.()))
    return (await registry).metrics()
  }
  let underWay: Promise<string> | undefined
  const part = createService({
    name: 'metrics',
    async start() {
      registry ??= open()
      await registry
    },
    stop: async () => {},
  })
  return {
    ...part,
    add(measures) {
      measured.push(measures)
      registry = registry?.then(async (opened) => {
        await register(opened, measures.metrics)
        return opened
      })
    },
    async render(accept = '') {
      underWay ??= text().finally(() => {
        underWay = undefined
      })
      const plain = await underWay
      return accept.includes('application/openmetrics-text')
        ? { contentType: OPEN_METRICS, text: openMetricsFrom(plain) }
        : { contentType: TEXT, text: plain }
    },
  }
}

function ofEveryProcess(service: string, unready: () => string | undefined): Metric[] {
  const manifest = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
  return [
    {
      name: 'offstage_build_info',
      help: 'Which service of which version this is; always 1',
      kind: 'gauge',
      labels: ['service', 'version'],
      read: () => [{ value: 1, labels: { service, version } }],
    },
    {
      name: 'offstage_ready',
      help: 'Whether the process may be given work, as /readyz says: 1 or 0',
      kind: 'gauge',
      read: () => (unready() === undefined ? 1 : 0),
    },
  ]
}

async function openRegistry(): Promise<Registry> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

async function register(registry: Registry, metrics: readonly Metric[]): Promise<void> {
  const { Counter, Gauge } = await import('prom-client')
  for (const { name, help, kind, labels: labelNames = [], read } of metrics) {
    const terms = { name, help, labelNames, registers: [registry] }
    if (kind === 'gauge') {
      new Gauge({
        ...terms,
        collect() {
          this.reset()
          for (const { labels = {}, value } of readings(read())) this.set(labels, value)
        },
      })
    } else {
      new Counter({
        ...terms,
        collect() {
          this.reset()
          for (const { labels = {}, value } of readings(read())) this.inc(labels, value)
        },
      })
    }
  }
}

function readings(read: number | readonly Reading[]): readonly Reading[] {
  return typeof read === 'number' ? [{ value: read }] : read
}
