import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ConfigError, faultText } from '@offstage/kit/config'
import { expect, test } from 'vitest'
import { createDevServices } from './dev/dev-services.ts'
import { offstage, offstageProcess } from './testing/setup.ts'

async function emptyFolder() {
  const path = await mkdtemp(join(tmpdir(), 'offstage-cli-'))
  const remove = () => rm(path, { recursive: true, force: true })
  return { path, [Symbol.asyncDispose]: remove }
}

test('an unknown command is named, and the nearest one', async () => {
  const done = await offstageProcess(['strat', 'x'])
  expect(done).toMatchObject({ code: 64, stdout: '' })
  expect(done.stderr).toContain("unknown command 'strat'")
  expect(done.stderr).toContain('start')
})

test('parameters that are not JSON are refused before anything is called', async () => {
  const done = await offstage(['start', 'test.greet', '{name:1}'])
  expect(done).toMatchObject({ code: 64, stdout: '' })
  expect(done.stderr).toContain('It is not JSON')
})

test('times, counts, states and ports that are none are refused', async () => {
  const lines = [
    ['wait', 'x', '--timeout', 'soon'],
    ['start', 'x', '--wait', '--timeout', 'soon'],
    ['list', '--limit', '0'],
    ['list', '--limit', 'NaN'],
    ['acts', '--since', '99999999999d'],
    ['list', '--state', 'sleeping'],
    ['dev', '--port-base', '70000'],
  ]
  for (const line of lines) {
    const { code, stderr } = await offstage(line)
    expect(code).toBe(64)
    expect(stderr).toContain(line.at(-1))
  }
})

test('a refresh of nothing, or of two things, is refused', async () => {
  const lines = [
    ['refresh'],
    ['refresh', '--all', '--tag', 'a'],
    ['refresh', '--tag', 'a', '--params', '[]'],
    ['refresh', '--function', 'a', '--params', '{}'],
  ]
  for (const line of lines) {
    const { code, stderr } = await offstage(line)
    expect([code, stderr]).toEqual([64, expect.stringMatching(/name one of --all|It is a list/)])
  }
})

test('a limit of a wait is refused where nothing is waited for', async () => {
  const done = await offstage(['start', 'x', '--timeout', '1s'])
  expect(done.code).toBe(64)
  expect(done.stderr).toContain('--timeout <time>')
})

test('a file of TLS that cannot be used is refused by the variable that names it', async () => {
  const done = await offstage(['list'], { OFFSTAGE_TLS_CA: '/none.pem' })
  expect(done.code).toBe(78)
  expect(done.stderr).toContain('OFFSTAGE_TLS_CA: the file /none.pem does not exist')
})

test('an address that is none is refused, by the flag or the variable that has it', async () => {
  for (const address of ['foo', 'http://127.0.0.1:7701']) {
    const flag = await offstage(['list', '--scheduler', address])
    expect(flag.code).toBe(64)
    expect(flag.stderr).toContain('--scheduler')
    const variable = await offstage(['list'], { OFFSTAGE_SCHEDULER: address })
    expect(variable.code).toBe(78)
    expect(variable.stderr).toContain('OFFSTAGE_SCHEDULER: must be host:port')
  }
})

test('a login in an address, or the value of an option that is none, is not shown', async () => {
  for (const flag of ['--scheduler', '--storage']) {
    for (const address of ['https://ann:opensesame@a:7701', 'opensesame@a:7701']) {
      const { code, stderr } = await offstage(['list', flag, address])
      expect({ code, stderr }).toEqual({ code: 64, stderr: expect.stringContaining('***@a:7701') })
      expect(stderr).toContain(`option '${flag} <host:port>'`)
      expect(stderr).not.toContain('opensesame')
    }
  }
  const { code, stderr } = await offstage(['list', '--token=opensesame'])
  expect({ code, stderr }).toEqual({ code: 64, stderr: "error: unknown option '--token'\n" })
})

test('the version is told, and the help of dev has no option that says where to call', async () => {
  expect(await offstage(['--version'])).toMatchObject({ code: 0, stdout: '0.1.0\n' })
  const { stdout } = await offstage(['dev', '--help'])
  expect(stdout).toContain('--port-base')
  expect(stdout).not.toContain('--scheduler')
})

test('a port in use is named with the flag that gives another', async () => {
  await using folder = await emptyFolder()
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const bound = holder.address()
  const port = typeof bound === 'object' ? bound?.port : undefined
  try {
    const done = await offstageProcess(['dev', '--port-base', `${port}`, '--data-dir', folder.path])
    expect(done.code).toBe(78)
    expect(done.stderr).toBe(
      `offstage dev: the configuration is not valid:\n  --port-base: cannot listen on 127.0.0.1:${port}: ` +
        'another process uses the port; take other ports with --port-base, or 0 for free ones, and ' +
        'beside another offstage dev another --data-dir too\n',
    )
  } finally {
    holder.close()
  }
})

test('a data directory that cannot be written is named', async () => {
  await using folder = await emptyFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, '')
  // In /proc nothing can be made, not even by root, and it says so in a way of its own.
  for (const path of [file, '/proc/nope/deeper']) {
    const done = await offstageProcess(['dev', '--port-base', '0', '--data-dir', path])
    expect(done.code).toBe(78)
    expect(done.stderr).toContain('--data-dir')
    expect(done.stderr).toContain(dirname(path))
  }
})

const devWith = (data: string, jobs: string) =>
  offstageProcess(['dev', '--port-base', '0', '--data-dir', data, '--jobs', jobs])

/** What such a process would say, without one. */
async function refusalOfDev(dataDir: string, jobs: string): Promise<string> {
  await using services = createDevServices({ jobs: [jobs], portBase: 0, dataDir, env: {} })
  const refusal = await services.start().catch((error) => error)
  expect(refusal).toBeInstanceOf(ConfigError)
  return faultText(refusal)
}

test('job modules that are broken or empty are named', async () => {
  await using folder = await emptyFolder()
  const data = join(folder.path, 'data')
  const broken = join(folder.path, 'broken.ts')
  await writeFile(broken, 'export const job = }')
  const done = await devWith(data, broken)
  expect(done.code).toBe(78)
  expect(done.stderr).toContain('--jobs: ')
  expect(done.stderr).toContain(broken)
  expect(done.stderr).not.toContain('    at ')
  const empty = join(folder.path, 'empty.ts')
  await writeFile(empty, 'export const job = 1')
  const refusal = await refusalOfDev(data, empty)
  expect(refusal).toContain('--jobs: ')
  expect(refusal).toContain(empty)
})

test('a job module that is missing is told before anything is made or started', async () => {
  await using folder = await emptyFolder()
  const data = join(folder.path, 'data')
  const jobs = join(folder.path, 'missing.ts')
  const done = await devWith(data, jobs)
  expect(done.code).toBe(78)
  expect(done.stderr).toContain(`--jobs: cannot find the job modules at ${jobs}`)
  expect(existsSync(data)).toBe(false)
})

test('a module that lacks the SDK is told how to get it', async () => {
  await using folder = await emptyFolder()
  const path = join(folder.path, 'hello.ts')
  await writeFile(path, "import { defineJob } from '@offstage/sdk'")
  const refusal = await refusalOfDev(join(folder.path, 'data'), path)
  expect(refusal).toContain('In a project of your own')
  expect(refusal).not.toContain('    at ')
})

test('a misspelt variable is told of', async () => {
  const done = await offstage(['list', '--limit', '0'], { OFFSTAGE_SCHEDULR: '127.0.0.1:7701' })
  expect(done.stderr).toContain('OFFSTAGE_SCHEDULR: variables that nothing reads')
})

test('a bad variable is named without the services having started', async () => {
  const done = await offstageProcess(['dev'], { OFFSTAGE_SCHEDULER_SESSION_LEASE: 'long' })
  expect(done.code).toBe(78)
  expect(done.stderr).toContain('OFFSTAGE_SCHEDULER_SESSION_LEASE')
})
