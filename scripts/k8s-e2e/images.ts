/**
 * The images that are tried: those of `make images` as they are, and beside them an executor and callers of this test. With
 * NODE=debian also what a cluster elsewhere gets from a registry: PostgreSQL, NATS and Python, made of Debian's packages.
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { versionOf } from '../images/build.ts'
import { buildImage, type Engine, findEngine, saveImage } from '../images/engine.ts'

export interface Images {
  readonly scheduler: string
  readonly flightReport: string
  /** A user's next executor: the flight report, and the jobs of this test. It holds the callers, too. */
  readonly next: string
  /** A caller that has the proto files and no line of ours. */
  readonly python: string
  /** The release after this one, whose database has one more migration. */
  readonly nextScheduler: string
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const HERE = fileURLToPath(new URL('./', import.meta.url))
const SHIPPED = join(ROOT, 'dist/images')
const WORK = join(ROOT, '.offstage/k8s-e2e')
const SERVICES = ['scheduler', 'storage', 'flight-report']
const PYTHON_PACKAGES = ['grpcio', 'grpcio-tools', 'googleapis-common-protos']
const STAND_INS = {
  postgres: 'docker.io/library/postgres:18.1-bookworm',
  nats: 'docker.io/library/nats:2.12.2',
  python: 'localhost/offstage/debian-python:3.11',
} as const
const DEBIAN =
  'postgresql-15,nats-server,python3-minimal,libpython3.11-stdlib,dash,coreutils,tzdata'
/** Large, and of no use to any of the three. */
const LEFT_OUT = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/lib/llvm*', 'dev']

/** The archives of `make images` that are missing. */
export function missingArchives(): string[] {
  return SERVICES.map(archiveOf).filter((archive) => !existsSync(archive))
}

export function imageNames(): Images {
  const of = (name: string) => `docker.io/offstage/${name}:${versionOf(ROOT)}`
  return {
    scheduler: of('scheduler'),
    flightReport: of('flight-report'),
    next: of('e2e-executor'),
    python: of('e2e-python'),
    nextScheduler: of('e2e-next-scheduler'),
  }
}

/** Builds what belongs to this test; resolves to the archives of all that a cluster needs. */
export function prepareImages({ next, python, nextScheduler, ...shipped }: Images): string[] {
  const engine = findEngine()
  mkdirSync(WORK, { recursive: true })
  const isDebian = process.env.NODE === 'debian'
  const build = (file: string, context: string, tag: string, values: Record<string, string>) => {
    buildImage(engine, { file, context, tag, arguments: values })
    return saveImage(engine, tag, WORK)
  }
  const standIns = isDebian ? buildStandIns(engine) : []
  const [version, base] = isDebian
    ? (['3.11', STAND_INS.python] as const)
    : (['3.13', 'docker.io/library/python:3.13-slim'] as const)
  return [
    ...SERVICES.map(archiveOf),
    ...standIns,
    build(join(HERE, 'pods/Dockerfile'), join(HERE, 'pods'), next, { FROM: shipped.flightReport }),
    build(join(HERE, 'next/Dockerfile'), nextContext(), nextScheduler, { FROM: shipped.scheduler }),
    build(join(HERE, 'python/Dockerfile'), pythonContext(version), python, { PYTHON: base }),
  ]
}

function archiveOf(name: string): string {
  return join(SHIPPED, `${name}-${versionOf(ROOT)}.tar`)
}

function buildStandIns(engine: Engine): string[] {
  const context = join(WORK, 'stand-ins')
  const files = join(context, 'root')
  const packages = `${context}.tar`
  if (!existsSync(packages)) {
    const to = ['--variant=extract', `--include=${DEBIAN}`, 'bookworm', packages]
    run('mmdebstrap', ['--quiet', ...to])
  }
  rmSync(context, { recursive: true, force: true })
  mkdirSync(files, { recursive: true })
  const excluded = LEFT_OUT.map((path) => `--exclude=./${path}`)
  run('tar', ['-xf', packages, '-C', files, ...excluded, '--exclude=libLLVM*'])
  cpSync(join(HERE, 'stand-ins'), context, { recursive: true })
  const { postgres, nats, python } = STAND_INS
  for (const [target, tag] of Object.entries({ postgres, nats, python }))
    buildImage(engine, {
      ...{ file: join(context, 'Dockerfile'), context, target, tag },
      arguments: {},
    })
  return [postgres, nats].map((tag) => saveImage(engine, tag, WORK))
}

/** The migrations of this release and one more, which adds what this release can do without. */
function nextContext(): string {
  const context = join(WORK, 'next')
  const known = readdirSync(join(ROOT, 'services/scheduler/src/store/migrations')).length
  rmSync(context, { recursive: true, force: true })
  mkdirSync(join(context, 'migrations'), { recursive: true })
  const file = `${`${known + 1}`.padStart(4, '0')}-e2e-next.sql`
  const sql = 'ALTER TABLE jobs ADD COLUMN e2e_next text;\n'
  writeFileSync(join(context, 'migrations', file), sql)
  return context
}

/** What a Python client needs is fetched here, as its image is built without running anything. */
function pythonContext(version: string): string {
  const context = join(WORK, 'python')
  const packages = join(context, 'packages')
  if (!existsSync(packages)) {
    const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
    const forImage = [`--python-version=${version}`, `--platform=manylinux2014_${machine}`]
    const options = [
      '--quiet',
      '--root-user-action=ignore',
      '--only-binary=:all:',
      '--target',
      packages,
    ]
    run('pip', ['install', ...options, ...forImage, ...PYTHON_PACKAGES])
  }
  for (const folder of ['offstage', 'keda']) {
    rmSync(join(context, 'proto', folder), { recursive: true, force: true })
    cpSync(join(ROOT, 'proto', folder), join(context, 'proto', folder), { recursive: true })
  }
  for (const file of ['generate.py', 'start.py', 'scaler.py'])
    copyFileSync(join(HERE, 'python', file), join(context, file))
  return context
}

function run(program: string, arguments_: readonly string[]): void {
  execFileSync(program, arguments_, { stdio: ['ignore', 'ignore', 'inherit'] })
}
