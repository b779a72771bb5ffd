import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { spawnProcess } from './spawn-process.ts'
import { until } from './until.ts'

const STAY = 'setInterval(() => {}, 60_000)\n'

async function program(text: string) {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-spawn-'))
  const main = join(folder, 'main.ts')
  await writeFile(main, text)
  return {
    main,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

test('a program is started when a line of its output matches', async () => {
  await using it = await program(
    `const greeting: string = 'up on ' + process.env.PORT_OF_TEST\nconsole.log(greeting)\n${STAY}`,
  )
  await using running = await spawnProcess({
    main: it.main,
    env: { PORT_OF_TEST: '7701' },
    ready: /^up on (\d+)$/,
  })
  expect(running.ready[1]).toBe('7701')
  expect(running.stdout).toBe('up on 7701\n')
  expect(await running.kill()).toEqual({ code: null, signal: 'SIGTERM' })
})

test('a program that ends before it is ready is refused with its output', async () => {
  await using it = await program(`console.error('no configuration'); process.exit(78)\n`)
  await expect(spawnProcess({ main: it.main, ready: /up/ })).rejects.toThrow(
    /ended \(exit code 78\) before it was ready.*no configuration/s,
  )
})

test('disposing of a program that will not end fails and kills it', async () => {
  await using it = await program(`process.on('SIGTERM', () => {}); console.log('up')\n${STAY}`)
  const stubborn = await spawnProcess({ main: it.main, ready: /up/, stopTimeoutMs: 50 })
  await expect(stubborn[Symbol.asyncDispose]()).rejects.toThrow('did not end within 50 ms')
  expect(alive(stubborn.pid)).toBe(false)
})

test('a child does not outlive a parent that is killed', async () => {
  await using child = await program(`console.log('up')\n${STAY}`)
  const kit = new URL('./spawn-process.ts', import.meta.url).href
  await using parent = await program(
    `import { spawnProcess } from '${kit}'\n` +
      `const it = await spawnProcess({ main: '${child.main}', ready: /up/ })\n` +
      `console.log('child ' + it.pid)\n${STAY}`,
  )
  await using running = await spawnProcess({ main: parent.main, ready: /^child (\d+)$/ })
  const pid = Number(running.ready[1])
  expect(alive(pid)).toBe(true)
  await running.kill('SIGKILL')
  await until(() => !alive(pid), { what: 'the sentry has ended the orphan' })
})

function alive(pid: number): boolean {
  expect(pid).toBeGreaterThan(0)
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
