import { REASONS } from '@offstage/proto/reasons'
import { expect, test } from 'vitest'
import { errorText, knownReasons } from './commands/error-texts.ts'
import { offstage } from './testing/setup.ts'

test('every reason can be looked up from the shell, in a text that the command carries', async () => {
  const taken = await offstage(['help', 'errors', 'job_key_taken'])
  expect(taken).toMatchObject({ code: 0, stderr: '' })
  expect(taken.stdout).toMatch(/^JOB_KEY_TAKEN\n\n`ALREADY_EXISTS`, retry: no/)
  for (const reason of knownReasons()) expect(errorText(reason)?.length).toBeGreaterThan(60)
  expect(knownReasons()).toEqual(expect.arrayContaining([...Object.keys(REASONS), 'EXECUTOR_LOST']))
})

test('the text of one reason ends where that of the next begins', () => {
  expect(errorText('INVALID_FIELD')).not.toContain('METHOD_UNKNOWN')
  expect(errorText('INTERNAL')).not.toContain('Why a job failed')
  const both = errorText('PARAMS_INVALID')
  expect(both).toContain('`INVALID_ARGUMENT`')
  expect(both).toContain('A job failed with PARAMS_INVALID: ')
})

test('a reason or a command that there is none of is named', async () => {
  const reason = await offstage(['help', 'errors', 'NOPE'])
  expect(reason).toMatchObject({ code: 64, stdout: '' })
  expect(reason.stderr).toContain("there is no reason 'NOPE'; known are INVALID_FIELD, ")
  const command = await offstage(['help', 'strat'])
  expect(command).toMatchObject({ code: 64, stdout: '' })
  expect(command.stderr).toContain("'strat'")
})

test('the list of reasons and the help of commands are a word away', async () => {
  const list = await offstage(['help', 'errors'])
  for (const reason of knownReasons()) expect(list.stdout).toContain(`  ${reason} `)
  const wait = await offstage(['help', 'wait'])
  expect(wait).toMatchObject({ code: 0 })
  expect(wait.stdout).toContain('--timeout <time>')
})
