import { expect, test } from 'vitest'
import { processArguments, processEnvironment } from './process-start.ts'

test('a process gets the variables that are named, and none of the others', () => {
  const env = { PATH: '/bin', OFFSTAGE_TOKEN: 't', AWS_SECRET: 's', MODEL: 'm' }
  expect(processEnvironment(['MODEL', 'ABSENT'], env)).toEqual({ PATH: '/bin', MODEL: 'm' })
})

test('a process gets what the executor is run with, but for debuggers, memory and files with variables', () => {
  const given = [
    ...['--import', './hooks.js', '--env-file', '.env', '--env-file-if-exists=.env.local'],
    ...['--inspect=9229', '--max-old-space-size=4096', '--conditions=development'],
  ]
  expect(processArguments(2 ** 28, given)).toEqual([
    ...['--import', './hooks.js', '--conditions=development', '--max-old-space-size=256'],
  ])
})
