import { JobFailedError, Offstage } from '@offstage/sdk'
import { expect, test } from 'vitest'
import { startCluster } from './cluster/cluster.ts'
import { office, print, printAll } from './cluster/failing-jobs.ts'

const jobs = new URL('./cluster/failing-jobs.ts', import.meta.url)

async function faultOf(offstage: Offstage, job: typeof printAll) {
  const handle = await offstage.startJob(job)
  const done = await handle.waitForCompletion()
  if (done.state !== 'failed') throw new Error(`it ended as ${done.state}`)
  return done.error
}

test('a parent fails with the reason, the text and the stack of its child, and no frames but those of jobs', async () => {
  await using cluster = await startCluster({ jobs, schedulers: 1, executors: 1 })
  await using offstage = await Offstage.connect({ scheduler: cluster.target() })

  const child = await offstage.run(print, { pages: 1 }).catch((error: unknown) => error)
  expect(child).toBeInstanceOf(JobFailedError)
  expect(child).toMatchObject({
    cause: { name: 'OutOfPaperError', message: 'no paper for 1 pages' },
  })

  const parent = await faultOf(offstage, printAll)
  expect(parent.reason).toBe('OutOfPaperError')
  expect(parent.brief).toMatch(
    /^job failing\.print \([0-9a-f-]{36}\) failed: no paper for 3 pages$/,
  )
  expect(withoutPlaces(parent.detail)).toEqual([
    'JobFailedError: job failing.print failed: no paper for 3 pages',
    'at async Object.run',
    'caused by: OutOfPaperError: no paper for 3 pages',
    'at Object.run',
    'caused by: Error: tray 2 is empty',
    'at Object.run',
  ])

  const grandparent = await faultOf(offstage, office)
  expect(grandparent.reason).toBe('OutOfPaperError')
  expect(grandparent.brief).toMatch(/failing\.print-all .* failing\.print .* no paper for 3 pages$/)
  expect(withoutPlaces(grandparent.detail).filter((line) => line.includes('Error:'))).toEqual([
    'JobFailedError: job failing.print-all failed: job failing.print failed: no paper for 3 pages',
    'caused by: JobFailedError: job failing.print failed: no paper for 3 pages',
    'caused by: OutOfPaperError: no paper for 3 pages',
    'caused by: Error: tray 2 is empty',
  ])

  // What the schema can say is refused before there is a job (row J2).
  await expect(offstage.startJob('failing.print', { pages: 'many' })).rejects.toMatchObject({
    reason: 'PARAMS_INVALID',
    violations: [{ field: 'params.pages', description: 'must be number' }],
  })

  // What Offstage itself finds has no frames at all.
  const wrong = await offstage.startJob('failing.print', { pages: 13 })
  const { error } = await wrong.waitForCompletion()
  expect(error?.reason).toBe('PARAMS_INVALID')
  expect(error?.detail).toMatch(/params\.pages/)
  expect(error?.detail).not.toMatch(/^\s+at /m)
}, 60_000)

/** The lines of a detail, without ids and positions. */
function withoutPlaces(detail: string): string[] {
  const plain = detail.replaceAll(/ \([0-9a-f-]{36}\)/g, '').replaceAll(/ \(file:.*\)$/gm, '')
  return plain.split('\n').map((line) => line.trim())
}
