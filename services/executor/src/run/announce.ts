import type { JobDefinition } from '@offstage/sdk/jobs'
import type { MethodAnnouncement } from '../domain/method.ts'
import { jsonSchemaOf } from './json-schema.ts'

/** What an executor tells of a job it can run. */
export function announcementOf(definition: JobDefinition): MethodAnnouncement {
  const { method, description = '', lane = 'inline', retry, deadlines } = definition
  const { limits, labels, startableBy, privileged } = definition
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
  }
}
