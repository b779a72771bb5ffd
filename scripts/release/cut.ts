import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PACKAGES } from '../pack/packages.ts'
import { cutChangelog } from './changelog.ts'

const VERSION = /^\d+\.\d+\.\d+(-[0-9a-z]+(\.[0-9a-z]+)*)?$/

/** Writes the version into every manifest that is published and into the lock file, and cuts the changelog. */
export async function cutRelease(root: string, version: string, date: string): Promise<void> {
  if (!VERSION.test(version)) throw new Error(`${version || 'nothing'} is no version such as 0.2.0`)
  const changelog = join(root, 'CHANGELOG.md')
  const cut = cutChangelog(await readFile(changelog, 'utf8'), version, date)
  for (const { folder } of PACKAGES) {
    await rewriteJson(join(root, folder, 'package.json'), (manifest) => {
      manifest.version = version
    })
  }
  await rewriteJson(join(root, 'package-lock.json'), ({ packages }) => {
    for (const { folder } of PACKAGES) Object.assign(packages[folder] ?? {}, { version })
  })
  await writeFile(changelog, cut)
}

interface Json {
  version?: string
  packages: Record<string, { version?: string }>
}

async function rewriteJson(path: string, change: (json: Json) => void): Promise<void> {
  const json: Json = JSON.parse(await readFile(path, 'utf8'))
  change(json)
  await writeFile(path, `${JSON.stringify(json, null, 2)}\n`)
}
