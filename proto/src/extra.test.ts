import { expect, test } from 'vitest'
import { AttachRequest } from './executor.ts'
import { isDeeper } from './extra.ts'
import { ListJobsResponse, WatchJobsResponse } from './jobs.ts'
import { LIMITS } from './limits.ts'

const { extraDepthMax } = LIMITS

type Value = unknown
const shapes: readonly ((inner: Value) => Value)[] = [(v) => ({ v }), (v) => [v]]

/** An extra of so many levels. */
function extraOf(levels: number, shape: (inner: Value) => Value): Record<string, unknown> {
  let v: Value = 1
  for (let level = 1; level < levels; level += 1) v = shape(v)
  return { v }
}

test.for(shapes)(
  'an extra of as many levels as allowed can be read wherever it stands',
  (shape) => {
    const extra = extraOf(extraDepthMax, shape)
    const report = AttachRequest.fromPartial({
      messages: [{ extra }],
      progress: [{ progress: { extra } }],
    })
    expect(AttachRequest.decode(AttachRequest.encode(report).finish())).toEqual(report)
    const event = { $case: 'message' as const, value: { extra } }
    const watched = WatchJobsResponse.fromPartial({ events: [{ event }] })
    expect(WatchJobsResponse.decode(WatchJobsResponse.encode(watched).finish())).toEqual(watched)
    const list = ListJobsResponse.fromPartial({ jobs: [{ progress: { extra } }] })
    expect(ListJobsResponse.decode(ListJobsResponse.encode(list).finish())).toEqual(list)
  },
)

test.for(shapes)('levels of objects and lists are counted', (shape) => {
  expect(isDeeper(extraOf(extraDepthMax, shape), extraDepthMax)).toBe(false)
  expect(isDeeper(extraOf(extraDepthMax + 1, shape), extraDepthMax)).toBe(true)
  expect(isDeeper({ flat: [1, 'two', null] }, 2)).toBe(false)
})
