import { expect, test } from 'vitest'
import { createLogger, type LoggerOptions } from './logger.ts'
import { startTelemetry } from './telemetry.ts'
import { traced } from './traced.ts'

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  return { lines, log: createLogger({ name: 'scheduler', destination, ...options }) }
}

test('a line is one JSON object with time, level in words, name and text', () => {
  const { lines, log } = capture()
  log.warn({ jobs: 3 }, 'queue is long')
  expect(lines).toHaveLength(1)
  const line = JSON.parse(lines[0] ?? '')
  expect(line).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    level: 'warn',
    name: 'scheduler',
    jobs: 3,
    msg: 'queue is long',
  })
})

test('lines below the level are not written', () => {
  const { lines, log } = capture({ level: 'error' })
  log.warn('quiet')
  expect(lines).toEqual([])
})

test('inside a span a line carries its ids', async () => {
  await using telemetry = startTelemetry({ serviceName: 'test' })
  await telemetry.start()
  const { lines, log } = capture()
  const ids = await traced('work', {}, async (span) => {
    log.info('working')
    return span.spanContext()
  })
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId })
})

test('a pretty line reads as a sentence, with facts behind and the stack below', () => {
  const { lines, log } = capture({ pretty: true })
  const err = new Error('gone')
  err.stack = 'Error: gone\n    at here'
  log.error({ err, job: '7', labels: ['a'] }, 'job failed')
  expect(lines.join('')).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} ERROR scheduler: job failed {2}job=7 {2}labels=\["a"\]\n {4}Error: gone\n {8}at here\n$/,
  )
})
