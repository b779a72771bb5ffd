import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'

/** What an image takes on a disk, and about what a registry sends of it. */
export async function sizesOf(archive: string): Promise<{ unpacked: number; packed: number }> {
  let packed = 0
  await pipeline(createReadStream(archive), createGzip({ level: 6 }), async (chunks) => {
    for await (const chunk of chunks) packed += chunk.length
  })
  return { unpacked: (await stat(archive)).size, packed }
}
