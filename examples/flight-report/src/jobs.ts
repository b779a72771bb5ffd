import { defineJob, NonRetryableError } from '@offstage/sdk'
import { z } from 'zod'
import { countRowGroups, readRowGroup } from './flights.ts'
import { summarizeCells, tallyFlights } from './report.ts'

const cell = z.object({
  airport: z.string(),
  month: z.string(),
  flights: z.number().int(),
  delayMinutes: z.number().int(),
  lateFlights: z.number().int(),
})

const delays = z.object({
  flights: z.number().int(),
  meanDelayMinutes: z.number(),
  lateShare: z.number(),
})

const airportDelays = delays.extend({
  airport: z.string(),
  months: z.array(delays.extend({ month: z.string() })).readonly(),
})

/** Counts the flights of one row group. */
export const delaysPart = defineJob({
  method: 'reports.delays-part',
  description: 'Delays by origin airport and month in one row group of the flights',
  params: z.object({ rowGroup: z.number().int().nonnegative() }),
  result: z.array(cell),
  lane: 'task',
  retry: { maxAttempts: 3 },
  async run(_job, { rowGroup }) {
    const flights = await readRowGroup(rowGroup).catch((error: unknown) => {
      if (error instanceof RangeError) throw new NonRetryableError(error.message, { cause: error })
      throw error
    })
    return tallyFlights(flights)
  },
})

/**
 * The report: one child job for each row group of the file, then their sum. While the children run, the
 * slot of this job is free for one of them. The result is about 160 KiB, so it goes to temp storage.
 */
export const delayReport = defineJob({
  method: 'reports.delays',
  description: 'Delays by origin airport and month over three million flights',
  params: z.object({}),
  result: delays.extend({ airports: z.array(airportDelays).readonly() }),
  lane: 'task',
  async run(job) {
    const rowGroups = Array.from({ length: await countRowGroups() }, (_, rowGroup) => ({
      rowGroup,
    }))
    job.progress(0, 'counting flights')
    const parts = await job.runAll(delaysPart, rowGroups, {
      onProgress: ({ percent, finished, total }) =>
        job.progress(percent * 0.95, `counted ${finished} of ${total} parts`),
    })
    job.progress(95, 'putting the parts together')
    return summarizeCells(parts)
  },
})
