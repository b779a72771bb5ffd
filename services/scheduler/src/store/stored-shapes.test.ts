/** The rows of this file have been written as they stand here; they are never changed, only added to. */
import { describe, expect, test } from 'vitest'
import type { JobError } from '../domain/job.ts'
import type { MethodDefinition } from '../domain/method-definition.ts'
import type { Payload, StartOptions } from '../domain/start-command.ts'
import { additionalFromStored, additionalToJson } from './additional-result-codec.ts'
import { errorFromStored, errorToJson } from './job-error-codec.ts'
import { optionsFromStored, storedOptions } from './job-options-codec.ts'
import {
  definitionFromStored,
  definitionToJson,
  termsFromStored,
} from './method-definition-codec.ts'
import { StoredShapeError } from './stored-shape.ts'

const RETRY = {
  maxAttempts: 5,
  initialBackoffMs: 500,
  backoffMultiplier: 3,
  backoffMsMax: 60000,
  jitter: 0.1,
}
const STORED_RETRY =
  '{"maxAttempts":5,"initialBackoffMs":500,"backoffMultiplier":3,"backoffMsMax":60000,"jitter":0.1}'

const OPTIONS: Required<StartOptions> = {
  displayName: 'Nightly report',
  scope: 's-1',
  resultAddress: 'ost://a/1',
  wantAdditionalResult: true,
  additionalResultAddress: 'ost://a/2',
  cancelWithParent: true,
  childrenPolicy: 'first',
  retry: RETRY,
  attemptDeadlineMs: 60000,
  queueDeadlineMs: 1000,
  totalDeadlineMs: 90000,
  heartbeatDeadlineMs: 2000,
  tracestate: 'a=b',
  paramsOwned: true,
  privileged: true,
  misfits: ['a'],
  requestedMethod: 'test.asked',
  foreground: 'first',
  homePool: 'gpu',
}
const STORED_OPTIONS = `{"v":1,"displayName":"Nightly report","scope":"s-1","resultAddress":"ost://a/1",\
"wantAdditionalResult":true,"additionalResultAddress":"ost://a/2","cancelWithParent":true,"childrenPolicy":"first","retry":${STORED_RETRY},\
"attemptDeadlineMs":60000,"queueDeadlineMs":1000,"totalDeadlineMs":90000,"heartbeatDeadlineMs":2000,"tracestate":"a=b","paramsOwned":true,"privileged":true,"misfits":["a"],"requestedMethod":"test.asked","foreground":"first","homePool":"gpu"}`

const DEFINITION: MethodDefinition = {
  name: 'report.build',
  lane: 3,
  retry: RETRY,
  queueDeadlineMs: 1000,
  attemptDeadlineMs: 60000,
  totalDeadlineMs: 90000,
  heartbeatDeadlineMs: 2000,
  startableBy: { roles: ['operator'], users: ['build-*'] },
  privileged: true,
  paramsSchema: '{}',
  earlierParamsSchemas: ['true'],
  description: 'Builds',
  resultSchema: '',
}
const STORED_TERMS = `{"v":1,"name":"report.build","lane":3,"retry":${STORED_RETRY},"queueDeadlineMs":1000,\
"attemptDeadlineMs":60000,"totalDeadlineMs":90000,"heartbeatDeadlineMs":2000,"startableBy":{"roles":["operator"],"users":["build-*"]},"privileged":true,\
"paramsSchema":"{}","earlierParamsSchemas":["true"]`
const STORED_DEFINITION = `${STORED_TERMS},"description":"Builds","resultSchema":""}`

const ERROR: JobError = { brief: 'No.', detail: 'at x', reason: 'NO', retryable: true }
const STORED_ERROR = '{"v":1,"brief":"No.","detail":"at x","reason":"NO","retryable":true}'

const IN_PLACE: Payload = { inline: Buffer.from('{"a":1}'), type: 'application/json' }
const STORED_IN_PLACE = '{"v":1,"inline":"eyJhIjoxfQ==","type":"application/json"}'
const ELSEWHERE: Payload = { address: 'ost://a/1', type: '', sha256: Buffer.alloc(3, 7) }
const STORED_ELSEWHERE = '{"v":1,"address":"ost://a/1","type":"","sha256":"BwcH"}'

const json = (read: (stored: unknown) => unknown) => (stored: string) => read(JSON.parse(stored))

describe('of version 1', () => {
  test.each([
    ['job options', json(optionsFromStored), STORED_OPTIONS, OPTIONS],
    ['job options without any', json(optionsFromStored), '{"v":1}', {}],
    ['no job options', json(optionsFromStored), 'null', undefined],
    ['a definition', json(definitionFromStored), STORED_DEFINITION, DEFINITION],
    ['terms', json(termsFromStored), `${STORED_TERMS}}`, withoutTexts(DEFINITION)],
    ['an unknown method', json(termsFromStored), 'null', undefined],
    ['an error', json(errorFromStored), STORED_ERROR, ERROR],
    ['no error', json(errorFromStored), 'null', undefined],
    ['an additional result', json(additionalFromStored), STORED_IN_PLACE, IN_PLACE],
    ['an additional result elsewhere', json(additionalFromStored), STORED_ELSEWHERE, ELSEWHERE],
  ])('%s can be read for ever', (_, read, stored, value) => {
    expect(read(stored)).toEqual(value)
  })

  test.each([
    ['job options', JSON.stringify(storedOptions(OPTIONS)), STORED_OPTIONS],
    ['a definition', definitionToJson(DEFINITION), STORED_DEFINITION],
    ['an error', errorToJson(ERROR), STORED_ERROR],
    ['an additional result', additionalToJson(IN_PLACE), STORED_IN_PLACE],
    ['an additional result elsewhere', additionalToJson(ELSEWHERE), STORED_ELSEWHERE],
  ])('%s are written as they always were', (_, written, stored) => {
    expect(JSON.parse(written ?? '')).toEqual(JSON.parse(stored))
  })
})

test.each([
  ['another version', '{"v":2}', /stored job options have version 2, this release reads 1/],
  ['no version', '{"scope":"s"}', /version undefined/],
  ['no object', '[1]', /version undefined/],
  ['a wrong kind', '{"v":1,"scope":1}', /job options: the field scope is 1/],
  ['a null', '{"v":1,"scope":null}', /the field scope is null/],
  [
    'a gap',
    '{"v":1,"retry":{"maxAttempts":1}}',
    /retry policies: the field initialBackoffMs is mi/,
  ],
])('%s is a fault that says what is wrong, not a default', (_, stored, says) => {
  const read = () => optionsFromStored(JSON.parse(stored))
  expect(read).toThrow(StoredShapeError)
  expect(read).toThrow(says)
})

test('a field of a release to come is passed over, so that two releases run side by side', () => {
  expect(optionsFromStored({ v: 1, scope: 's', color: 'red' })).toEqual({ scope: 's' })
})

function withoutTexts(definition: MethodDefinition) {
  const { description: _, resultSchema: __, ...terms } = definition
  return terms
}
