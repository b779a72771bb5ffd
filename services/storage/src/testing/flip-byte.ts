/** For tests: a disk that does not keep what it was given. */
import { open } from 'node:fs/promises'

export async function flipByte(path: string, position: number): Promise<void> {
  await using file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, position)
  byte[0] = (byte[0] ?? 0) ^ 1
  await file.write(byte, 0, 1, position)
}
