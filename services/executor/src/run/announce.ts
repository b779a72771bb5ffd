import { LIMITS } from '@offstage/proto/limits'
import type { JobDefinition } from '@offstage/sdk/jobs'
import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import type { MethodAnnouncement } from '../domain/method.ts'

/** What an executor tells of a job it can run. */
export function announcementOf(definition: JobDefinition): MethodAnnouncement {
  const { method, description = '', lane = 'inline', retry, deadlines } = definition
  const { startableBy, privileged } = definition
  return {
    name: method,
    description,
    paramsSchema: jsonSchemaOf(definition.params, 'input'),
    resultSchema: jsonSchemaOf(definition.result, 'output'),
    lane,
    ...(retry === undefined ? {} : { retry: { ...retry } }),
    ...(deadlines === undefined ? {} : { deadlines: { ...deadlines } }),
    ...(startableBy === undefined ? {} : { startableBy: structuredClone(startableBy) }),
    ...(privileged ? { privileged } : {}),
  }
}

/**
 * The JSON Schema as text. Empty for a schema that cannot say what it is in JSON Schema or says too
 * much: the scheduler then checks nothing, the thread still does before the handler runs.
 */
function jsonSchemaOf(schema: StandardSchemaV1 | undefined, side: 'input' | 'output'): string {
  if (schema === undefined) return ''
  const standard: Partial<StandardJSONSchemaV1.Props> = schema['~standard']
  try {
    const text = JSON.stringify(standard.jsonSchema?.[side]({ target: 'draft-2020-12' })) ?? ''
    return Buffer.byteLength(text) <= LIMITS.schemaBytesMax ? text : ''
  } catch {
    return ''
  }
}
