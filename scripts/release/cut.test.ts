import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { readManifest } from '../pack/manifest.ts'
import { PACKAGES } from '../pack/packages.ts'
import { cutRelease } from './cut.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

async function checkout(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'offstage-release-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const manifests = PACKAGES.map(({ folder }) => join(folder, 'package.json'))
  for (const file of ['CHANGELOG.md', 'package-lock.json', ...manifests]) {
    await cp(join(ROOT, file), join(root, dirname(file), file.replace(/.*\//, '')))
  }
  return root
}

test('a release has its version in every package, in the lock file and in the changelog', async () => {
  const root = await checkout()
  await cutRelease(root, '7.0.0', '2026-03-04')
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  for (const { folder } of PACKAGES) {
    expect(readManifest(join(root, folder)).version).toBe('7.0.0')
    expect(packages[folder].version).toBe('7.0.0')
  }
  expect(await readFile(join(root, 'CHANGELOG.md'), 'utf8')).toContain('\n## 7.0.0 (2026-03-04)\n')
})

test('what is no version changes nothing', async () => {
  const root = await checkout()
  await expect(cutRelease(root, 'v7', '2026-03-04')).rejects.toThrow('v7 is no version')
  expect(readManifest(join(root, 'cli'))).toEqual(readManifest(join(ROOT, 'cli')))
})
