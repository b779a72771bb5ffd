import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from './clock.ts'
import { idleHandlers } from './idle-handlers.ts'

const run = promisify(execFile)
const folder = import.meta.dirname
const modUrl = new URL('./mod.ts', import.meta.url).href

test("the machine's clock ticks in whole milliseconds, so what is attached together is due together", () => {
  const times = vi.spyOn(performance, 'now').mockReturnValueOnce(1000.2).mockReturnValueOnce(1000.9)
  expect([systemClock.now(), systemClock.now()]).toEqual([1000, 1000])
  times.mockRestore()
})

describe('in Node', () => {
  const script = (keepAlive: boolean) => `
    import { idleHandlers } from ${JSON.stringify(modUrl)}
    const table = idleHandlers({ keepAlive: ${keepAlive} })
    const form = table.owner('form')
    table.attach(form, () => console.log('ran'), { intervalMs: 100, once: true })
  `
  const outputOf = async (source: string) =>
    (await run(process.execPath, ['--input-type=module', '-e', source])).stdout

  test('attached handlers do not keep a process alive', async () => {
    expect(await outputOf(script(false))).toBe('')
  })

  test('unless told to: then it lives as long as a handler is attached', async () => {
    expect(await outputOf(script(true))).toBe('ran\n')
  })

  test('told to, it lives through a block or a pending handler that nothing else keeps alive', async () => {
    const source = `${script(true)}
      const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms).unref())
      let runs = 0
      table.attach(form, async () => {
        await later(30)
        runs += 1
        if (runs === 2) form.dispose()
      }, { intervalMs: 100 })
      const block = table.blockAll()
      later(120).then(() => block.unblock())
      process.on('exit', () => console.log(runs))
    `
    expect(await outputOf(source)).toBe('ran\n2\n')
  })

  test('told to, it lives to the end of a run even when nothing is attached any more', async () => {
    const source = `${script(true)}
      table.attach(form, async () => {
        await new Promise((resolve) => setTimeout(resolve, 50).unref())
        console.log('ended')
      }, { intervalMs: 100, once: true })
    `
    expect(await outputOf(source)).toBe('ran\nended\n')
  })

  test('but not for the run of a table that is disposed', async () => {
    const source = `${script(true)}
      table.attach(form, async () => {
        await new Promise((resolve) => setTimeout(() => resolve(table.dispose()), 50).unref())
        await new Promise((resolve) => setTimeout(resolve, 1_000).unref())
        console.log('still alive')
      }, { intervalMs: 100, once: true })
    `
    expect(await outputOf(source)).toBe('ran\n')
  })
})

describe('in a browser', () => {
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  test('timers that are numbers, without unref, serve as well', async () => {
    const { setTimeout: start, clearTimeout: stop } = globalThis
    const timers = new Map<number, NodeJS.Timeout>()
    vi.stubGlobal('setTimeout', (wake: () => void, ms: number) => {
      timers.set(timers.size + 1, start(wake, ms))
      return timers.size
    })
    vi.stubGlobal('clearTimeout', (id: number) => stop(timers.get(id)))
    const ran = Promise.withResolvers<void>()
    using table = idleHandlers()
    const never = () => ran.reject(new Error('detached, but ran'))
    const form = table.owner('form')
    table.attach(form, never, { intervalMs: 100 })
    table.detach(form, never)
    table.attach(form, () => ran.resolve(), { intervalMs: 100 })
    await ran.promise
    expect(timers.size).toBeGreaterThanOrEqual(2)
  })

  test('no module imports anything but its neighbours and the checks of arguments, which import nothing', () => {
    const ways = { '.': /^(\.|\.\.\/arguments)\/[a-z-]+\.ts$/, '../arguments': /^\.\/[a-z-]+\.ts$/ }
    for (const [place, neighbours] of Object.entries(ways)) {
      const path = join(folder, place)
      const modules = readdirSync(path).filter((name) => !/test/.test(name))
      expect(modules).toContain(place === '.' ? 'mod.ts' : 'rules.ts')
      for (const name of modules) {
        const source = readFileSync(join(path, name), 'utf8')
        const imports = [...source.matchAll(/(?:from|import\(?) '([^']+)'/g)].map(
          ([, from]) => from,
        )
        for (const from of imports) expect(from).toMatch(neighbours)
      }
    }
  })

  test('the code fits the types of a browser, without those of Node', async () => {
    const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
    const tsc = join(dirname(typescript), 'bin', 'tsc')
    const options = [
      ...['--ignoreConfig', '--noEmit', '--strict', '--noUncheckedIndexedAccess'],
      ...['--target', 'es2024', '--lib', 'es2024,dom,esnext.disposable', '--types', ''],
      ...['--module', 'esnext', '--moduleResolution', 'bundler', '--allowImportingTsExtensions'],
    ]
    const { stdout } = await run(process.execPath, [tsc, ...options, join(folder, 'mod.ts')])
    expect(stdout).toBe('')
  })
})
