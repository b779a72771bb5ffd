import { execFileSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stage } from './stage.ts'

/** Builds all packages below `staging`, writes their tarballs to `destination` and answers their paths. */
export async function pack(root: string, staging: string, destination: string): Promise<string[]> {
  const folders = await stage(root, staging)
  await rm(destination, { recursive: true, force: true })
  await mkdir(destination, { recursive: true })
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination, ...folders]
  const packed = execFileSync('npm', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  return tarballsIn(packed).map((file) => join(destination, file))
}

/** npm lists what it packed, or has it by name: that depends on its release. */
function tarballsIn(packed: string): string[] {
  const answer: Record<string, { filename: string }> = JSON.parse(packed)
  return Object.values(answer).map(({ filename }) => filename.replace('@', '').replace('/', '-'))
}
