/** What `schedules.terms` holds. */

import type { Said } from '../domain/declared-schedule.ts'
import type { Timing } from '../domain/due-times.ts'
import type { ScheduledStart, ScheduleTerms } from '../domain/schedule.ts'
import type { Payload, StartOptions } from '../domain/start-command.ts'
import { optionsFromStored, storedOptions } from './job-options-codec.ts'
import {
  base64,
  createShape,
  type Field,
  flag,
  namedTexts,
  nested,
  number,
  oneOf,
  required,
  text,
  texts,
} from './stored-shape.ts'

const time: Field<Date> = {
  read: (stored) => {
    const date = typeof stored === 'string' ? new Date(stored) : undefined
    return date && !Number.isNaN(date.getTime()) ? date : undefined
  },
  write: (date) => date.toISOString(),
}

const options: Field<StartOptions> = {
  read: (stored) => optionsFromStored(stored),
  write: (value) => storedOptions(value),
}

const params = nested<Payload>('parameters', {
  inline: base64,
  address: text,
  type: required(text),
  sha256: base64,
})

const job = nested<ScheduledStart>('jobs of schedules', {
  method: required(text),
  params: required(params),
  lane: required(oneOf([0, 1, 2, 3] as const)),
  priority: required(number),
  pool: required(text),
  key: required(text),
  keyConflict: required(oneOf(['refuse', 'return-running', 'queue-behind'] as const)),
  labels: namedTexts,
  options,
})

const timing = nested<Timing>('times of schedules', {
  crons: required(texts),
  intervalMs: number,
  anchorTime: time,
  excludedCrons: required(texts),
  timeZone: required(text),
  beginTime: time,
  endTime: time,
  jitterMs: required(number),
})

const TERMS = createShape<ScheduleTerms>('terms of schedules', 1, {
  job: required(job),
  timing: required(timing),
  overlap: required(oneOf(['skip', 'queue-one', 'queue-all', 'allow', 'cancel-running'] as const)),
  catchUpMs: required(number),
  catchUpMax: required(number),
  pauseAfterFailures: required(number),
})

/** In the place of those that cannot be read: never due. */
export const NO_TERMS: ScheduleTerms = {
  job: {
    ...{ method: '', params: { type: '' }, lane: 0, priority: 0, pool: '', key: '' },
    ...{ keyConflict: 'refuse', labels: {}, options: undefined },
  },
  timing: {
    ...{ crons: [], intervalMs: undefined, anchorTime: undefined, excludedCrons: [] },
    ...{ timeZone: 'UTC', beginTime: undefined, endTime: undefined, jitterMs: 0 },
  },
  ...{ overlap: 'skip', catchUpMs: 0, catchUpMax: 1, pauseAfterFailures: 0 },
}

const SAID = createShape<Said>('declarations of schedules', 1, {
  terms: required({
    read: (stored: unknown) => TERMS.read(stored),
    write: (terms: ScheduleTerms) => TERMS.write(terms),
  }),
  isPaused: required(flag),
})

export function termsToJson(terms: ScheduleTerms): string {
  return JSON.stringify(TERMS.write(terms))
}

export function termsFromStored(stored: unknown): ScheduleTerms {
  return TERMS.read(stored)
}

export function saidToJson(said: Said): string {
  return JSON.stringify(SAID.write(said))
}

export function saidFromStored(stored: unknown): Said {
  return SAID.read(stored)
}
