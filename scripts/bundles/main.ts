/**
 * The programs that tests start again and again, in few files each, for `make test`: to find and to read a thousand modules takes three times
 * as long as all else until a service serves. Handler threads and processes, with the SDK that their jobs import, are half of that each time.
 * There are no source maps, which would take half of that again: frames name functions, and `make test TESTS=…` runs the sources.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { type RolldownOptions, rolldown } from 'rolldown'
import { FOLDER, inThreads, places, ROOT, THREAD_ENTRIES, THREADS_FOLDER } from './plugins.ts'

const PROGRAMS = [
  ['services/scheduler', 'main', 'migrate'],
  ['services/storage', 'main', 'migrate'],
  ['services/executor', 'main'],
  ['cli', 'main'],
] as const

/** These read files of their own by way of `__dirname`, or load what is named at run time. */
const EXTERNAL = [
  '@electric-sql/pglite',
  '@grpc/proto-loader',
  '@grpc/reflection',
  '@opentelemetry/exporter-trace-otlp-grpc',
  'grpc-health-check',
  'pino',
]

for (const [folder, ...programs] of PROGRAMS) {
  const input = programs.map((program) => join(ROOT, folder, `src/${program}.ts`))
  await write(join(FOLDER, folder, 'src'), { input, plugins: [places] })
}

const inBundle = globSync('sdk/src/{,*/}mod.ts', { cwd: ROOT })
const entries = [...THREAD_ENTRIES, ...inBundle].map((path) => [
  path.replace(/\.ts$/, ''),
  join(ROOT, path),
])
await write(THREADS_FOLDER, {
  input: Object.fromEntries(entries),
  plugins: [inThreads, places],
})
await write(join(FOLDER, 'packages'), { input: { zod: 'zod' }, cwd: join(ROOT, 'test') })

async function write(dir: string, options: RolldownOptions): Promise<void> {
  const bundle = await rolldown({ platform: 'node', external: EXTERNAL, onLog() {}, ...options })
  await bundle.write({ dir, cleanDir: true })
  await bundle.close()
}
