import { setImmediate as immediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { inflateInTurn, inflations } from './inflations.ts'

/** A call as grpc-js makes it, whose messages are inflated when they are told to. */
function calls() {
  const running: (() => void)[] = []
  const turns = inflations()
  const send = (caller: string, bytesMax?: number) => {
    const call = {
      incomingEncoding: 'gzip',
      decompressMessage: (message: Buffer) =>
        new Promise<Buffer>((resolve) => running.push(() => resolve(message))),
    }
    inflateInTurn(call, caller, turns, bytesMax)
    const { decompressMessage: read } = call as { decompressMessage: (...of: unknown[]) => unknown }
    return Promise.resolve(read(Buffer.alloc(100), 'gzip'))
  }
  return { running, send }
}

test('a few messages are inflated at once, and those of one caller leave room for another', async () => {
  const { running, send } = calls()
  const all = Array.from({ length: 10 }, () => send('mallory'))
  await immediate()
  expect(running).toHaveLength(3)
  all.push(send('ann'))
  expect(running).toHaveLength(4)
  for (let done = 0; done < all.length; done += 1) {
    running[done]?.()
    await immediate()
  }
  expect(await Promise.all(all)).toHaveLength(11)
})

test('what is too large to be inflated is refused as grpc-js answers it', async () => {
  const { running, send } = calls()
  await expect(send('', 99)).rejects.toMatchObject({ code: 8, details: /99 bytes at most/ })
  expect(running).toEqual([])
})
