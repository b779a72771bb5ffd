/**
 * Whether retention slows the hot path, and whether tables stop growing by it: batches of no-op jobs as fast as they go, with
 * retention and without in turn, a second at a time, each on services and a database of its own, so that what else the machine does
 * concerns both. Ends with an error when a goal is missed.
 */
import { type Database, openPostgres } from '@offstage/kit/database'
import { Offstage } from '@offstage/sdk'
import { median, rate, startBatch } from './rate.ts'
import { startStack } from './stack.ts'

const ROUNDS = 10
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4)
const IN_FLIGHT = 8
const KEPT = 20_000
const GOAL = 0.9
/** Of the second half of the rounds against the first. */
const GROWTH_MAX = 1.25

await using stack = await startStack({ OFFSTAGE_SCHEDULER_RETENTION_SWEEP: '3s' })
await using other = await startStack()
await using offstage = await Offstage.connect({ scheduler: stack.scheduler })
await using forEver = await Offstage.connect({ scheduler: other.scheduler })
await using database = await openPostgres({ url: stack.jobsDatabaseUrl, poolSize: 1 })

const second = (client: Offstage) => rate(1, IN_FLIGHT, () => startBatch(client))
const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

interface Sizes {
  readonly jobs: number
  readonly table: number
  readonly indexes: number
}

async function sizesOf(of: Database): Promise<Sizes> {
  const text = `
    SELECT (SELECT count(*) FROM offstage.jobs) AS jobs, pg_table_size('offstage.jobs') AS table,
      pg_indexes_size('offstage.jobs') AS indexes`
  const { rows } = await of.query<Sizes>({ name: '', text })
  if (rows[0] === undefined) throw new Error('a query without conditions has answered no row')
  return rows[0]
}

// As often as a server should look that has thousands of jobs a second; the default is a minute.
await database.query({ name: '', text: "ALTER SYSTEM SET autovacuum_naptime = '5s'" })
await database.query({ name: '', text: 'SELECT pg_reload_conf()' })
await offstage.settings.update({ retention: [{ kind: 'program', countMax: KEPT }] })
await second(offstage)
await second(forEver)
const mib = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const perSecond = (value: number) => `${Math.round(value).toLocaleString('en')}/s`
const rates: number[] = []
const without: number[] = []
const sizes: Sizes[] = []
for (let number = 1; number <= ROUNDS; number++) {
  const [kept, beside]: [number[], number[]] = [[], []]
  for (let slice = 0; slice < SECONDS; slice++) {
    kept.push(await second(offstage))
    beside.push(await second(forEver))
  }
  rates.push(mean(kept))
  without.push(mean(beside))
  sizes.push(await sizesOf(database))
}

console.table(
  sizes.map(({ jobs, table, indexes }, index) => ({
    'with retention': perSecond(rates[index] ?? 0),
    without: perSecond(without[index] ?? 0),
    jobs,
    table: mib(table),
    indexes: mib(indexes),
  })),
)
const whole = ({ table, indexes }: Sizes) => table + indexes
const largest = (of: readonly Sizes[]) => Math.max(...of.map(whole))
const growth = largest(sizes.slice(ROUNDS / 2)) / largest(sizes.slice(0, ROUNDS / 2))
const ratio = median(rates.map((each, index) => each / (without[index] ?? Number.NaN)))
const told = (isMet: boolean) => (isMet ? 'met' : 'MISSED')
const [isFast, isBounded] = [ratio >= GOAL, growth <= GROWTH_MAX]
console.log(
  `${told(isFast)}: ${ratio.toFixed(2)} of ${perSecond(median(without))} without retention (at least ${GOAL})`,
)
console.log(
  `${told(isBounded)}: ${growth.toFixed(2)} of the size after half of the rounds (at most ${GROWTH_MAX})`,
)
if (!isFast || !isBounded) process.exitCode = 1
