import { Readable } from 'node:stream'
import { createLogger } from '@offstage/kit/telemetry'
import { expect, test } from 'vitest'
import { BlobStoreError } from '../ports/blobs.ts'
import { createStorageFaults } from './storage-faults.ts'

test('a disk that is full is told of once for each outage, and to every caller', async () => {
  const lines: { level: string; msg: string }[] = []
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) }
  const log = createLogger({ name: 'test', level: 'info', destination })
  let nowMs = 0
  const { telling, tellingAll } = createStorageFaults(log, () => nowMs)
  const full = new BlobStoreError('full', 'ENOSPC: no space left')
  const put = () => expect(telling(Promise.reject(full))).rejects
  const read = async () => {
    const failing = Readable.from([]).destroy(new BlobStoreError('unavailable', 'EIO: i/o error'))
    for await (const _ of tellingAll(failing)) expect.unreachable()
  }
  for (let call = 0; call < 50; call += 1) {
    await put().toMatchObject({ reason: 'STORAGE_FULL' })
    await expect(read()).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })
    nowMs += 10_000
  }
  const ofOutages = { level: 'warn', msg: 'temp storage cannot use its disk' }
  expect(lines).toMatchObject([
    { ...ofOutages, err: { message: expect.stringContaining('ENOSPC') } },
    { ...ofOutages, err: { message: expect.stringContaining('EIO') } },
  ])
  nowMs += 60_000
  await put().toMatchObject({ reason: 'STORAGE_FULL' })
  expect(lines).toHaveLength(3)
})
