import { readFileSync } from 'node:fs'
import { createInProcessBus } from '@offstage/kit/bus'
import { expect, test } from 'vitest'
import { JobState } from '../services/scheduler/src/domain/job-state.ts'
import { createJobEvents } from '../services/scheduler/src/events/job-events.ts'
import { createHints } from '../services/storage/src/events.ts'

const text = readFileSync(new URL('events.md', import.meta.url), 'utf8')

test('the subjects told are those the services publish', async () => {
  await using bus = createInProcessBus()
  const published = new Set<string>()
  bus.subscribe('offstage.>', ({ subject }) => published.add(subject))

  const jobs = createJobEvents(bus)
  for (const what of [...Object.values(JobState), 'progress', 'messages'] as const) {
    jobs.job('namespace', 'job', what)
  }
  jobs.queueReady('namespace', 'method')
  jobs.gatesChanged('namespace')
  jobs.schedulesChanged('namespace')
  jobs.locksChanged('namespace')
  jobs.refreshed('namespace')
  jobs.cancelRequested('attachment')
  const values = createHints(bus)
  const address = 'an address'
  for (const event of ['reserved', 'put', 'deleted', 'expired'] as const) {
    values.value(event, { namespace: 'namespace', address } as Parameters<typeof values.value>[1])
  }
  await bus.flush()

  const told = [...text.matchAll(/^\| `(offstage\.v1\.[^`]+)`/gm)].map(([, subject]) =>
    subject?.replaceAll(/[<>]/g, ''),
  )
  expect(told.toSorted()).toEqual([...published].toSorted())
})
