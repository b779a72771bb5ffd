/** Jobs that leave open what they have opened. */
import { setImmediate } from 'node:timers/promises'
import { defineJob } from '@offstage/sdk/jobs'
import { currentRun } from '@offstage/sdk/runs'
import { beginTransaction, inTransaction } from '@offstage/sdk/transactions'

/** A pool of one connection, which notes what it is told. */
const said: string[] = []
const client = {
  async query(text: string) {
    await setImmediate()
    said.push(text)
    return { command: text }
  },
}

/** Leaves a transaction open, and ends in the way it is told to. */
export const careless = defineJob({
  method: 'test.careless',
  async run(job, { how }: { how: 'return' | 'throw' | 'stop' }) {
    await beginTransaction(client)
    await client.query(job.id)
    if (how === 'throw') throw new Error('no')
    if (how === 'stop') {
      job.message('running')
      await new Promise((_, reject) => {
        job.signal.addEventListener('abort', () => reject(job.signal.reason))
      })
    }
    return how
  },
})

/** What was said before, and then by this one. */
export const careful = defineJob({
  method: 'test.careful',
  async run(job) {
    const before = said.splice(0)
    await inTransaction(client, () => client.query(job.id))
    return [before, said.splice(0)]
  },
})

/** Gives its rows bit by bit, in a transaction that it leaves open. */
export const selection = defineJob({
  method: 'test.selection',
  async run() {
    await beginTransaction(client)
    return (async function* () {
      for (let row = 0; row < 3; row += 1) {
        await client.query(`row ${row}`)
        yield Buffer.from(`${currentRun()?.name} `)
      }
    })() as AsyncIterable<Uint8Array>
  },
})
