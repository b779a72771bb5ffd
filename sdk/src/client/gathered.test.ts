import { expect, test } from 'vitest'
import { gathered } from './gathered.ts'

const same = (piece: Buffer) => piece

async function all(pieces: AsyncIterator<Buffer>, chunkBytes = 1_000): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of gathered(pieces, chunkBytes, same)) chunks.push(chunk)
  return chunks
}

test('pieces of a byte are gathered into chunks', async () => {
  async function* bytes() {
    for (let n = 0; n < 2_500; n++) yield Buffer.of(n % 256)
  }
  const chunks = await all(bytes())
  expect(chunks.map(({ byteLength }) => byteLength)).toEqual([1_000, 1_000, 500])
  const whole = Buffer.from(Array.from({ length: 2_500 }, (_, n) => n % 256))
  expect(Buffer.concat(chunks).equals(whole)).toBe(true)
})

test('a large piece is cut, and an empty one is nothing', async () => {
  async function* large() {
    yield Buffer.alloc(0)
    yield Buffer.alloc(2_000, 1)
    yield Buffer.alloc(0)
    yield Buffer.alloc(100, 2)
  }
  expect(await all(large())).toEqual([
    Buffer.alloc(1_000, 1),
    Buffer.alloc(1_000, 1),
    Buffer.alloc(100, 2),
  ])
})

test('what has come goes off while the next piece is waited for', async () => {
  async function* slow() {
    yield Buffer.from('a')
    yield Buffer.from('b')
    await new Promise(() => {})
  }
  const chunks = gathered(slow(), 1_000, same)
  expect((await chunks.next()).value?.toString()).toBe('ab')
})

test('a piece that is written into after the next was asked for arrives as it was', async () => {
  async function* reusing() {
    const buffer = Buffer.alloc(10)
    for (let n = 0; n < 300; n++) yield buffer.fill(n % 256)
  }
  const whole = Buffer.concat(await all(reusing()))
  expect(
    whole.equals(Buffer.concat(Array.from({ length: 300 }, (_, n) => Buffer.alloc(10, n % 256)))),
  ).toBe(true)
})

test('a stream that breaks off tells its fault, also to who has left meanwhile', async () => {
  const disk = Promise.withResolvers<void>()
  async function* broken() {
    yield Buffer.from('a')
    await disk.promise
  }
  const [left, kept] = [gathered(broken(), 1_000, same), gathered(broken(), 1_000, same)]
  await Promise.all([left.next(), kept.next()])
  await left.return()
  disk.reject(new RangeError('the disk is gone'))
  await expect(kept.next()).rejects.toThrow('the disk is gone')
})
