import { expect, test } from 'vitest'
import { clusterFiles, runsTogether, sharesServers, togetherFiles } from './files.ts'

test.each([
  "import { startPostgres } from '@offstage/testkit'",
  "import { execFile } from 'node:child_process'",
  "vi.mock('./clock.ts')",
  "vi.stubGlobal('performance', clock)",
  "process.env.OFFSTAGE_TLS = 'off'",
])('a test that says %j has a process of its own', (text) => {
  expect(runsTogether('services/scheduler/src/x.test.ts', text)).toBe(false)
})

test('fixtures share a process where they are of one process', () => {
  const text = "import { setup } from './testing/setup.ts'"
  expect(runsTogether('services/scheduler/src/x.test.ts', text)).toBe(true)
  expect(runsTogether('services/executor/src/x.test.ts', text)).toBe(false)
})

test('tests of what is pure share one', () => {
  expect(togetherFiles()).toContain('services/scheduler/src/domain/retry-policy.test.ts')
  expect(togetherFiles()).not.toContain('test/leases.test.ts')
  expect(togetherFiles().length).toBeGreaterThan(100)
})

test('tests of services in processes share what starts those, unless they change what it is started with', () => {
  const text = 'const { startCluster } = cluster\nconst COUNT = Number(process.env.COUNT ?? 3)'
  expect(sharesServers('test/x.test.ts', text)).toBe(true)
  expect(sharesServers('docs/x.test.ts', text)).toBe(false)
  for (const change of [
    "process.env.OFFSTAGE_TLS = 'off'",
    "process.env['OFFSTAGE_TLS'] ??= 'off'",
    'delete process.env.OFFSTAGE_TLS',
    'Object.assign(process.env, certificates)',
    "process.on('warning', note)",
  ]) {
    expect(sharesServers('test/x.test.ts', `${text}\n${change}`), change).toBe(false)
  }
  expect(clusterFiles()).toContain('test/leases.test.ts')
  expect(clusterFiles().filter((file) => togetherFiles().includes(file))).toEqual([])
})
