/** What `methods.definition` holds. SQL reads `lane`, `limits` (announced-limits.ts) and that there are `labelExpressions` of it, and leaves out the long texts (methods.ts). */
import { CHILDREN_POLICY_NAMES } from '../domain/attached-children.ts'
import { SLOT_LANES } from '../domain/lane.ts'
import type { MethodDefinition, MethodTerms, StartableBy } from '../domain/method-definition.ts'
import { announcedLimits } from './method-limit-codec.ts'
import { retry } from './retry-codec.ts'
import {
  createShape,
  type Fields,
  flag,
  namedTexts,
  nested,
  number,
  oneOf,
  required,
  text,
  texts,
} from './stored-shape.ts'

const TERMS: Fields<MethodTerms> = {
  name: required(text),
  lane: required(oneOf(SLOT_LANES)),
  retry,
  queueDeadlineMs: number,
  attemptDeadlineMs: number,
  totalDeadlineMs: number,
  heartbeatDeadlineMs: number,
  childrenPolicy: oneOf(CHILDREN_POLICY_NAMES),
  startableBy: nested<StartableBy>('starters of methods', {
    roles: required(texts),
    users: required(texts),
  }),
  privileged: flag,
  foregroundOnly: flag,
  labelExpressions: namedTexts,
  paramsSchema: text,
  earlierParamsSchemas: texts,
}

const TERMS_SHAPE = createShape<MethodTerms>('method definitions', 1, TERMS)

const DEFINITION = createShape<MethodDefinition>('method definitions', 1, {
  ...TERMS,
  limits: announcedLimits,
  description: required(text),
  paramsSchema: required(text),
  resultSchema: required(text),
})

/** SQL for a definition without what starts have no need of. */
export const TERMS_OF = (definition: string) =>
  `CASE WHEN jsonb_typeof(${definition}) = 'object' THEN ${definition} - '{description,resultSchema,limits}'::text[] ELSE ${definition} END`

export function definitionToJson(definition: MethodDefinition): string {
  return JSON.stringify(DEFINITION.write(definition))
}

export function definitionFromStored(stored: unknown): MethodDefinition {
  return DEFINITION.read(stored)
}

export function termsFromStored(stored: unknown): MethodTerms | undefined {
  return stored === null ? undefined : TERMS_SHAPE.read(stored)
}
