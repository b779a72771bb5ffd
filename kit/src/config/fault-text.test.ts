import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { faultText } from './fault-text.ts'

const ours = fileURLToPath(new URL('fault-text.ts', import.meta.url))

test('a fault is told with its causes, each once', () => {
  const cause = new Error('port taken', { cause: new Error('EADDRINUSE') })
  expect(faultText(new Error('cannot listen: port taken', { cause }))).toBe(
    'cannot listen: port taken: EADDRINUSE',
  )
  expect(faultText('plain')).toBe('plain')
})

test('of the frames within a message only those in code of the reader stay', () => {
  const lines = [
    'Error: cannot import the job module /home/ann/jobs.ts',
    `    at file://${ours}:1:1`,
    'caused by: Error [ERR_X]: no such thing',
    '    at file:///home/ann/jobs.ts:3:7',
    '    at async load (node:internal/modules/esm/loader:1:1)',
    '',
  ]
  expect(faultText(new Error(lines.join('\n')))).toBe(
    'cannot import the job module /home/ann/jobs.ts\n' +
      'caused by: no such thing\n' +
      '    at file:///home/ann/jobs.ts:3:7',
  )
})
