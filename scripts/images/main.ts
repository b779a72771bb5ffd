/**
 * Builds the images of the services, and an executor with the flight report, into the engine's storage and as archives in dist/images.
 * ENGINE names what builds (docker, podman, buildah); NODE the base, `debian` for one made here of Debian's packages.
 */
import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildImages } from './build.ts'
import { sizesOf } from './sizes.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = join(root, 'dist/images')
mkdirSync(folder, { recursive: true })
for (const { tag, archive } of await buildImages(root, folder)) {
  const { unpacked, packed } = await sizesOf(archive)
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  const sizes = `${megabytes(unpacked)}, ${megabytes(packed)} compressed`
  console.log(`${tag}  ${sizes}  ${relative(root, archive)}`)
}
