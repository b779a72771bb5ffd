import { expect, test } from 'vitest'
import type { PutHeader, PutPart } from '../domain/temp-value.ts'
import { openPut } from './put-parts.ts'

test('empty chunks are passed over, so that nothing holds them', async () => {
  async function* parts(): AsyncGenerator<PutPart> {
    yield { kind: 'header', header: {} as PutHeader, promisesTrailer: false }
    for (const text of ['', 'a', '', '', 'b', '']) yield { kind: 'chunk', bytes: Buffer.from(text) }
  }
  const { body } = await openPut(parts())
  const texts: string[] = []
  for await (const chunk of body) texts.push(chunk.toString())
  expect(texts).toEqual(['a', 'b'])
})
