import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { readManifest } from '../pack/manifest.ts'
import { PACKAGES } from '../pack/packages.ts'

export interface PublishOptions {
  /** All but the publishing. */
  readonly dryRun: boolean
  /** Signed by the CI that runs this, and by no other. */
  readonly provenance: boolean
}

/** Publishes `tarballs`, in the order in which they need one another; what a broken run published before is passed over. */
export function publish(
  root: string,
  tarballs: readonly string[],
  options: PublishOptions,
): string[] {
  if (options.provenance && !options.dryRun) refuseWithoutRepository(root)
  const published: string[] = []
  const flags = ['--access', 'public', '--ignore-scripts', '--loglevel=error']
  if (options.provenance && !options.dryRun) flags.push('--provenance')
  if (options.dryRun) flags.push('--dry-run')
  for (const [index, { folder }] of PACKAGES.entries()) {
    const { name, version } = readManifest(join(root, folder))
    const tag = version.includes('-') ? 'next' : 'latest'
    if (!options.dryRun && isPublished(`${name}@${version}`)) {
      console.log(`${name}@${version} is there already`)
      continue
    }
    const tarball = tarballs[index] ?? ''
    execFileSync('npm', ['publish', tarball, '--tag', tag, ...flags], { stdio: 'inherit' })
    published.push(name)
  }
  return published
}

/** What is published is what a tag names. */
export function refuseChanges(root: string): void {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const { version } = readManifest(join(root, 'cli'))
  if (git('status', '--porcelain') !== '')
    throw new Error('there are changes that are not committed')
  const tags = git('tag', '--points-at', 'HEAD').split('\n')
  if (!tags.includes(`v${version}`)) throw new Error(`this commit has no tag v${version}`)
}

function refuseWithoutRepository(root: string): void {
  if (readManifest(root).repository !== undefined) return
  throw new Error(
    'package.json of the root names no repository, which provenance is compared with: add it, or pass --no-provenance',
  )
}

function isPublished(spec: string): boolean {
  try {
    return execFileSync('npm', ['view', spec, 'version'], { encoding: 'utf8' }).trim() !== ''
  } catch (fault) {
    if (String((fault as { stderr?: unknown }).stderr).includes('E404')) return false
    throw fault
  }
}
