/**
 * The programs that tests start again and again, in few files each, for `make test`: to find and to read a thousand modules takes three times
 * as long as all else until a service serves. What lies beside a module, such as migrations and the threads' entry, stays where it is.
 * There are no source maps, which would take half of that again: frames name functions, and `make test TESTS=…` runs the sources.
 */
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Plugin, rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = join(ROOT, '.offstage/bundles')
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

const places: Plugin = {
  name: 'places of the sources',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return undefined
    return code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
  },
}

for (const [folder, ...programs] of PROGRAMS) {
  const bundle = await rolldown({
    input: programs.map((program) => join(ROOT, folder, `src/${program}.ts`)),
    platform: 'node',
    external: EXTERNAL,
    plugins: [places],
    onLog() {},
  })
  await bundle.write({ dir: join(FOLDER, folder, 'src'), cleanDir: true })
  await bundle.close()
}
