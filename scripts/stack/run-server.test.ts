import { execFileSync } from 'node:child_process'
import { freePort, spawnProcess } from '@offstage/testkit'
import { expect, test } from 'vitest'

/** The process id of the server that runs in the care of `pid`. */
function serverOf(pid: number, program: string): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,comm='], { encoding: 'utf8' }).split('\n')
  const [found] = lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, name]) => Number(parent) === pid && name?.endsWith(program))
  return Number(found?.[0])
}

test('what cares for a server ends with it and says so, so that make up starts it again', async () => {
  const port = await freePort()
  await using it = await spawnProcess({
    main: new URL('nats.ts', import.meta.url),
    env: { OFFSTAGE_UP_PORT: String(port) },
    ready: /^nats-server \S+: nats:/,
  })
  process.kill(serverOf(it.pid, 'nats-server'), 'SIGKILL')
  await it.exited
  expect(it.stderr).toContain('nats-server has ended (SIGKILL)')
})
