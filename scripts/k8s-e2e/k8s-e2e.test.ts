/** What make k8s-e2e says and promises, as far as it can be shown without a cluster. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { NotRun } from './cluster.ts'
import { SCENARIOS } from './scenarios/mod.ts'
import type { Stage } from './stage.ts'
import { closingLine, runScenarios, type Scenario } from './verdicts.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const guide = new URL('../../docs/guides/deploy-kubernetes.md', import.meta.url)

function runMain(environment: Record<string, string>) {
  const { PATH = '' } = process.env
  const options = { env: { PATH, ...environment }, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [main], options)
  return { status, told: `${stdout}${stderr}`.trim() }
}

test('every scenario is told of in the guide, in its order, and none that does not exist', () => {
  const text = readFileSync(guide, 'utf8')
  const [, table = ''] = /\| scenario \| shows \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(text) ?? []
  const told = table.split('\n').flatMap((row) => {
    const [, names = ''] = /^\| (.*?) \|/.exec(row) ?? []
    return [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  })
  expect(told).toEqual(SCENARIOS.map(({ name }) => name))
})

test('without a cluster nothing is run, and what is missing is said by its variable', () => {
  expect(runMain({})).toEqual({
    status: 2,
    told: expect.stringMatching(/^not run: K8S_IMPORT is not set: .*kind load image-archive/),
  })
  const none = runMain({ K8S_IMPORT: 'import', KUBECTL: '/nowhere/kubectl' })
  expect(none.status).toBe(2)
  expect(none.told).toMatch(/^not run: no cluster answers \(KUBECONFIG is not set, KUBECTL \/now/)
  const misspelt = runMain({ K8S_IMPORT: 'import', SCENARIOS: 'roll-scheduler,drian' })
  expect(misspelt).toEqual({ status: 2, told: expect.stringContaining('SCENARIOS names drian') })
})

test('a cluster that does not answer is no success, and what kubectl said is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'offstage-k8s-e2e-'))
  try {
    const kubectl = join(folder, 'kubectl.mjs')
    writeFileSync(kubectl, "console.error('connection refused'); process.exitCode = 1")
    const told = runMain({ K8S_IMPORT: 'import', KUBECTL: `${process.execPath} ${kubectl}` })
    expect(told).toEqual({ status: 2, told: expect.stringContaining('connection refused') })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const stage = {} as Stage
const good: Scenario = { name: 'good', run: async () => '7 starts' }
const bad: Scenario = { name: 'bad', run: () => Promise.reject(new Error('3 lost')) }
const cannot: Scenario = { name: 'cannot', run: () => Promise.reject(new NotRun('no network')) }

test('a failed scenario is counted, and one that cannot be shown is no success', async () => {
  const lines: string[] = []
  const verdicts = await runScenarios([good, bad, cannot], stage, (line) => lines.push(line))
  expect(lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
    expect.stringMatching(/^ok good .* 7 starts$/),
    expect.stringMatching(/^FAILED bad .* 3 lost$/),
    expect.stringMatching(/^not run cannot .* no network$/),
  ])
  expect(closingLine(verdicts)).toBe('3 scenarios, 1 failed, 1 not run')
  expect(closingLine(await runScenarios([good], stage, () => {}))).toBe('1 scenarios, 0 failed')
})

test('what the others need and did not get fails them, too', async () => {
  const verdicts = await runScenarios([{ ...bad, isNeeded: true }, good], stage, () => {})
  expect(verdicts.map(({ verdict, figure }) => `${verdict}: ${figure}`)).toEqual([
    'FAILED: 3 lost',
    'FAILED: not tried: bad failed',
  ])
})
