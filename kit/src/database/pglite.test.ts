import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openPglite } from './pglite.ts'

const script = (text: string) => ({ name: '', text })

async function setup() {
  const folder = await mkdtemp(join(tmpdir(), 'offstage-pglite-'))
  return {
    folder,
    dataDir: join(folder, 'new', 'data'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

test('what was written is there after closing and opening again', async () => {
  await using it = await setup()
  {
    await using database = await openPglite({ dataDir: it.dataDir })
    await database.query(script('CREATE TABLE kept AS SELECT 7 AS n'))
  }
  await using database = await openPglite({ dataDir: it.dataDir })
  expect((await database.query(script('SELECT n FROM kept'))).rows).toEqual([{ n: 7 }])
})

test('a data directory in use is refused by name, and free again once closed', async () => {
  await using it = await setup()
  {
    await using _first = await openPglite({ dataDir: it.dataDir })
    await expect(openPglite({ dataDir: it.dataDir })).rejects.toThrow(
      `the data directory ${it.dataDir} is in use by this process`,
    )
  }
  await using again = await openPglite({ dataDir: it.dataDir })
  expect(again.kind).toBe('pglite')
})

test('another process is kept out while one runs, and gets in when that was killed', async () => {
  await using it = await setup()
  const program = `
    import { openPglite } from ${JSON.stringify(import.meta.resolve('./pglite.ts'))}
    const database = await openPglite({ dataDir: ${JSON.stringify(it.dataDir)} })
    await database.query({ name: '', text: 'CREATE TABLE kept AS SELECT 7 AS n' })
    console.log('killed', process.pid)
    process.kill(process.pid, 'SIGKILL')`
  const runProgram = () =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]).catch((e) => e)

  const killed = await runProgram()
  expect(killed.signal).toBe('SIGKILL')
  expect(killed.stdout).toMatch(/^killed/)
  await using database = await openPglite({ dataDir: it.dataDir })
  expect((await database.query(script('SELECT n FROM kept'))).rows).toEqual([{ n: 7 }])
  const refused = await runProgram()
  expect(refused.stderr).toContain(`${it.dataDir} is in use by process ${process.pid}`)
})

test('a data directory that cannot be written is refused by name', async () => {
  await using it = await setup()
  const file = join(it.folder, 'file')
  await writeFile(file, '')
  for (const dataDir of [file, join(file, 'below')]) {
    await expect(openPglite({ dataDir })).rejects.toThrow(
      `the data directory ${dataDir} cannot be written`,
    )
  }
})

test('timers are not kept waiting by a chain of statements', async () => {
  await using database = await openPglite()
  let fired = false
  const timer = setTimeout(() => {
    fired = true
  })
  for (let i = 0; i < 1000 && !fired; i++) await database.query(script('SELECT 1'))
  clearTimeout(timer)
  expect(fired).toBe(true)
})

test('a connection that is given up leaves nothing in the way of the next, no statement and no transaction', async () => {
  await using database = await openPglite()
  const one = { name: 'one', text: 'SELECT 1 AS n' }
  await database.query(one, [])
  const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
  const broken = database.transaction(async (tx) => {
    await tx.query(script('CREATE TABLE half (n int)'))
    throw lost
  })
  await expect(broken).rejects.toBe(lost)
  expect((await database.query(one, [])).rows).toEqual([{ n: 1 }])
  expect((await database.query(script("SELECT to_regclass('half') AS t"))).rows).toEqual([
    { t: null },
  ])
})
