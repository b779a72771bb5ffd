import { declarationOf, type ScheduleDefinition } from '@offstage/sdk/client'
import { type JobDefinition, wrapsReports } from '@offstage/sdk/jobs'
import type { MethodAnnouncement } from '../domain/method.ts'
import { jsonSchemaOf } from './json-schema.ts'

/** What an executor tells of a job it can run. */
export function announcementOf(definition: JobDefinition): MethodAnnouncement {
  const { method, description = '', lane = 'inline', retry, deadlines } = definition
  const { limits, labels, startableBy, privileged, childrenPolicy, background } = definition
  const { version } = definition
  return {
    name: method,
    description,
    paramsSchema: jsonSchemaOf(definition.params, 'input'),
    resultSchema: jsonSchemaOf(definition.result, 'output'),
    lane,
    ...(retry === undefined ? {} : { retry: { ...retry } }),
    ...(deadlines === undefined ? {} : { deadlines: { ...deadlines } }),
    ...(limits === undefined ? {} : { limits: structuredClone(limits) }),
    ...(typeof labels === 'object' ? { labelExpressions: { ...labels } } : {}),
    ...(startableBy === undefined ? {} : { startableBy: structuredClone(startableBy) }),
    ...(privileged ? { privileged } : {}),
    ...(childrenPolicy === undefined ? {} : { childrenPolicy }),
    ...(background === false ? { foregroundOnly: true } : {}),
    ...(version === undefined ? {} : { version }),
    ...(wrapsReports(definition.codec) ? { wrapsReports: true } : {}),
  }
}

/** What it tells of a schedule that its code declares, as the message: to the main thread it is bytes. */
export async function announcedSchedule(definition: ScheduleDefinition): Promise<Uint8Array> {
  try {
    return await declarationOf(definition)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`the schedule ${definition.id} cannot be declared: ${why}`, { cause })
  }
}
