import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pack } from '../pack/pack.ts'
import { buildImage, type Engine, findEngine, saveImage } from './engine.ts'
import { SERVICES, stage } from './stage.ts'

export interface Image {
  readonly tag: string
  readonly archive: string
}

const TARGETS = [...SERVICES, 'flight-report']
/** With the registry's name, as a cluster has it of an image that is named without one. */
const REPOSITORY = 'docker.io/offstage'

/** Builds all images of deploy/docker and writes them to `folder`. */
export async function buildImages(root: string, folder: string): Promise<Image[]> {
  const engine = findEngine()
  const tarballs = await pack(root, join(root, '.offstage/pack'), join(root, 'dist/packages'))
  const context = join(root, '.offstage/images/context')
  await stage(root, context, tarballs)
  const version = versionOf(root)
  const base = process.env.NODE ?? ''
  const node = base === 'debian' ? debianNode(root, engine) : base
  const arguments_ = {
    ...(node === '' ? {} : { NODE: node }),
    VERSION: version,
    REVISION: git(root, ['rev-parse', 'HEAD']),
  }
  const file = join(root, 'deploy/docker/Dockerfile')
  return TARGETS.map((target) => {
    const tag = `${REPOSITORY}/${target}:${version}`
    buildImage(engine, { file, context, target, tag, arguments: arguments_ })
    return { tag, archive: saveImage(engine, tag, folder) }
  })
}

export function versionOf(root: string): string {
  return JSON.parse(readFileSync(join(root, 'services/scheduler/package.json'), 'utf8')).version
}

function debianNode(root: string, engine: Engine): string {
  const folder = join(root, '.offstage/images/debian-node')
  execFileSync(join(root, 'deploy/docker/debian-node.sh'), [folder], { stdio: 'inherit' })
  const tag = 'localhost/offstage/debian-node:24'
  buildImage(engine, { file: join(folder, 'Dockerfile'), context: folder, tag, arguments: {} })
  return tag
}

function git(root: string, arguments_: readonly string[]): string {
  return execFileSync('git', arguments_, { cwd: root, encoding: 'utf8' }).trim()
}
