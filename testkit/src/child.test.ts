import { expect, test } from 'vitest'
import { startChild } from './child.ts'

test('a child that is silent too long is refused with its output, and ended', async () => {
  const refused = startChild({
    name: 'the silent one',
    command: '/bin/sh',
    args: ['-c', 'echo "pid $$"; exec sleep 1000'],
    ready: /never/,
    readyTimeoutMs: 500,
  })
  const error: Error = await refused.then(
    () => expect.unreachable(),
    (reason) => reason,
  )
  expect(error.message).toContain('the silent one wrote no line like /never/ within 500 ms')
  const pid = Number(/pid (\d+)/.exec(error.message)?.[1])
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('a program that does not exist is an error that names it', async () => {
  const refused = startChild({
    name: 'the absent one',
    command: '/nowhere/program',
    args: [],
    ready: /up/,
  })
  await expect(refused).rejects.toThrow('the absent one could not be started')
})

test('the ready line is found in either stream, also when it comes in pieces', async () => {
  const child = await startChild({
    name: 'the slow one',
    command: '/bin/sh',
    args: ['-c', "printf 'liste' >&2; printf 'ning on 77' >&2; echo 01 >&2; exec sleep 1000"],
    ready: /^listening on (\d+)$/,
  })
  expect(child.ready[1]).toBe('7701')
  expect(child.running).toBe(true)
  child.signal('SIGKILL')
  expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' })
  expect(child.running).toBe(false)
})
