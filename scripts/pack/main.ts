/** Builds the packages and writes their tarballs to dist/packages. Sources and manifests of development stay untouched. */
import { execFileSync } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stage } from './stage.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const destination = join(root, 'dist/packages')

const folders = await stage(root, join(root, '.offstage/pack'))
await rm(destination, { recursive: true, force: true })
await mkdir(destination, { recursive: true })
const args = ['pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', destination]
execFileSync('npm', [...args, ...folders], { stdio: 'inherit' })
