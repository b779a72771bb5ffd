/** Writes the tarballs of all packages to dist/packages. Sources and manifests of development stay untouched. */
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pack } from './pack.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const tarballs = await pack(root, join(root, '.offstage/pack'), join(root, 'dist/packages'))
for (const path of tarballs) console.log(relative(root, path))
