import { defineJob } from '@offstage/sdk'

export const child = defineJob({
  method: 'parents.child',
  lane: 'task',
  run: (_job, { n }: { n: number }) => n,
})

/** Waits for its child in the lane that the start names. */
export const parent = defineJob({
  method: 'parents.parent',
  lane: 'task',
  run: (job, { n }: { n: number }) => job.run(child, { n }),
})

/** Waits for a child that is not due. */
export const patient = defineJob({
  method: 'parents.patient',
  lane: 'task',
  async run(job, params: { n: number }) {
    const later = await job.startJob(child, params, {
      startAfter: 3_600_000,
      cancelWithParent: true,
    })
    return later.value()
  },
})
