/** What builds images: docker, podman, or Debian's buildah, which needs no daemon. */
import { execFileSync, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'

export type Engine = 'docker' | 'podman' | 'buildah'

export interface Build {
  readonly file: string
  readonly context: string
  readonly target?: string
  readonly tag: string
  readonly arguments: Readonly<Record<string, string>>
}

const ENGINES: readonly Engine[] = ['docker', 'podman', 'buildah']

/** The one ENGINE names, else the first that works here. */
export function findEngine(named = process.env.ENGINE): Engine {
  if (named !== undefined && named !== '') {
    const engine = ENGINES.find((name) => name === named)
    if (engine !== undefined) return engine
    throw new Error(`ENGINE is ${named}: name one of ${ENGINES.join(', ')}`)
  }
  const found = ENGINES.find((name) => spawnSync(name, ['info'], { stdio: 'ignore' }).status === 0)
  if (found !== undefined) return found
  throw new Error(`no engine that builds images: install one of ${ENGINES.join(', ')}`)
}

export function buildImage(engine: Engine, build: Build): void {
  run(engine, [...buildCommand(engine), ...buildArguments(build)])
}

/** Docker's format, also from the others: health checks are no part of OCI's. */
function buildCommand(engine: Engine): string[] {
  if (engine === 'docker') return ['build', '--quiet']
  if (engine === 'podman') return ['build', '--quiet', '--format=docker']
  return ['build', '--quiet', '--format=docker', '--isolation=chroot', '--layers']
}

function buildArguments({ file, context, target, tag, arguments: values }: Build): string[] {
  const named = Object.entries(values).map(([name, value]) => `--build-arg=${name}=${value}`)
  const stage = target === undefined ? [] : [`--target=${target}`]
  return [...named, ...stage, `--tag=${tag}`, `--file=${file}`, context]
}

/** Writes an image to `folder`, for a cluster to load; resolves to the archive. */
export function saveImage(engine: Engine, tag: string, folder: string): string {
  const archive = join(folder, `${tag.replace(/^.*\//, '').replace(':', '-')}.tar`)
  rmSync(archive, { force: true })
  if (engine === 'buildah')
    run(engine, ['push', '--quiet', tag, `docker-archive:${archive}:${tag}`])
  else run(engine, ['save', '--output', archive, tag])
  return archive
}

function run(engine: Engine, arguments_: readonly string[]): void {
  execFileSync(engine, arguments_, { stdio: ['ignore', 'ignore', 'inherit'] })
}
