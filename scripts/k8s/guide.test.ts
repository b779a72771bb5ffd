/** docs/guides/deploy-kubernetes.md, walked through as far as it goes without a cluster. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Offstage } from '@offstage/sdk'
import { expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { allBlocksOf, blocksOf } from '../../docs/code-blocks.ts'
import { faultsIn } from './check.ts'
import { type Manifest, type Pod, podOf, workloadsOf } from './manifests.ts'
import { folderOf, render } from './render.ts'
import { schemaFaults } from './schemas.ts'

const GUIDE = 'docs/guides/deploy-kubernetes.md'
const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** The folder that the guide makes beside a checkout, rendered. `patches` are added to its kustomization. */
async function walk<T>(use: (folder: string) => Promise<T>, patches: unknown[] = []): Promise<T> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'offstage-guide-')))
  symlinkSync(ROOT, join(folder, 'offstage'))
  try {
    const kustomization = await blockWith('yaml', 'kind: Kustomization')
    kustomization.patches.push(...patches)
    write(folder, 'my/kustomization.yaml', JSON.stringify(kustomization))
    write(folder, 'my/places.env', (await blocksOf(GUIDE, 'ini'))[0])
    write(folder, 'my/identity.json', (await blocksOf(GUIDE, 'json'))[0])
    return await use(join(folder, 'my'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('the kustomization of the guide keeps every rule', async () => {
  const manifests = await walk(render)
  expect(faultsIn(manifests)).toEqual([])
  const images = workloadsOf(manifests).flatMap((each) => podOf(each).containers[0]?.image)
  expect(images).toContain('registry.example.com/reports:1.4.0')
  expect(images).toContain('registry.example.com/offstage/scheduler:0.1.0')
})

test('the program of make k8s says of that folder that nothing is wrong', async () => {
  const told = await walk(async (folder) =>
    execFileSync(process.execPath, ['scripts/k8s/main.ts', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    }),
  )
  expect(told).toMatch(/^my: \d+ objects, nothing wrong$/m)
})

test('the longer drain of the guide keeps the rules, and only with the longer grace', async () => {
  const [longer] = (await yamlBlocks()).filter(
    (each) => Array.isArray(each.patches) && each.kind === undefined,
  )
  const faults = async (patches: unknown[]) => faultsIn(await walk(render, patches))
  expect(await faults(longer.patches)).toEqual([])
  const [{ target, patch }] = longer.patches
  const withoutGrace = patch.split('\n').slice(1).join('\n')
  expect(await faults([{ target, patch: withoutGrace }])).toEqual([
    expect.stringContaining('terminationGracePeriodSeconds is 45, must be over 610'),
  ])
})

test('the guide makes each Secret that is mounted, with the keys that are read', async () => {
  const made = secretsMade((await blocksOf(GUIDE, 'sh')).join('\n'))
  const manifests = await walk(render)
  const byCertManager = manifests
    .filter(({ kind }) => kind === 'Certificate')
    .map(({ spec }) => (spec as { secretName: string }).secretName)
  const mounted = workloadsOf(manifests).flatMap((each) => secretsOf(podOf(each)))
  expect(mounted.length).toBeGreaterThan(8)
  const missing = mounted.filter(
    ([name, keys]) =>
      !byCertManager.includes(name) && !keys.every((key) => made.get(name)?.includes(key)),
  )
  expect(missing).toEqual([])
})

test('folders that commands name are there, and what they wait for is in them', async () => {
  const commands = (await blocksOf(GUIDE, 'sh')).join('\n')
  const folders = [...commands.matchAll(/-k (deploy\/\S+)/g)].map(([, folder = '']) => folder)
  expect(folders).toEqual(['deploy/k8s/overlays/local'])
  for (const folder of folders) expect(await render(join(ROOT, folder))).not.toEqual([])
  const named = [...commands.matchAll(/ (job|deployment|statefulset)\/([\w-]+)/g)]
  const there = (await walk(render)).map(
    ({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`,
  )
  expect(there).toEqual(expect.arrayContaining(named.map(([text]) => text.trim())))
})

test('the client of the guide is a pod that the overlay local knows', async () => {
  const pod = (await blockWith('yaml', 'kind: Pod')) as unknown as Manifest & { spec: Pod }
  const { metadata, spec } = pod
  expect(schemaFaults({ ...pod, kind: 'Pod' })).toEqual([])
  expect(metadata.labels).toEqual({ 'offstage/client': 'true' })
  const accounts = (await render(folderOf('local'))).filter(({ kind }) => kind === 'ServiceAccount')
  expect(accounts.map((each) => each.metadata.name)).toContain(spec.serviceAccountName)
  expect(spec.volumes?.[0]?.projected?.sources[0]?.serviceAccountToken?.audience).toBe('offstage')
})

test('the SDK takes the environment of that pod', async () => {
  const { spec } = (await blockWith('yaml', 'kind: Pod')) as { spec: Pod }
  const folder = mkdtempSync(join(tmpdir(), 'offstage-token-'))
  write(folder, 'token', 'a.b.c')
  for (const { name, value } of spec.containers[0]?.env ?? []) {
    vi.stubEnv(name, name === 'OFFSTAGE_TOKEN_FILE' ? join(folder, 'token') : value)
  }
  try {
    await using client = Offstage.dial()
    expect(client).toBeInstanceOf(Offstage)
    vi.stubEnv('OFFSTAGE_TLS', undefined)
    expect(() => Offstage.dial()).toThrow('OFFSTAGE_TLS=off')
  } finally {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true })
  }
})

// biome-ignore lint/suspicious/noExplicitAny: whatever the guide has
async function yamlBlocks(): Promise<any[]> {
  return (await blocksOf(GUIDE, 'yaml')).map((text) => parse(text))
}

async function blockWith(language: string, line: string) {
  const blocks = await allBlocksOf(GUIDE)
  const found = blocks.find((each) => each.language === language && each.code.includes(line))
  return parse(found?.code ?? '')
}

function write(folder: string, file: string, text = ''): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), text)
}

/** What the loops of the guide come to: each Secret with its keys. */
function secretsMade(script: string): ReadonlyMap<string, string[]> {
  // A kubectl of ours that tells what it is asked.
  const told = execFileSync(
    'sh',
    ['-euc', `kubectl() { printf '%s\\n' "$*"; }; make() { :; }; kind() { :; }\n${script}`],
    {
      encoding: 'utf8',
    },
  )
  const lines = [...told.matchAll(/create secret generic (\S+)(.*)$/gm)]
  return new Map(
    lines.map(([, name = '', rest = '']) => [
      name,
      [...rest.matchAll(/--from-(?:file|literal)=([\w.]+)=/g)].map(([, key = '']) => key),
    ]),
  )
}

function secretsOf({ volumes = [] }: Pod): [name: string, keys: string[]][] {
  return volumes.flatMap(({ secret, projected }): [string, string[]][] => [
    ...(secret === undefined ? [] : [[secret.secretName, []] as [string, string[]]]),
    ...(projected?.sources ?? []).flatMap((source): [string, string[]][] =>
      source.secret === undefined
        ? []
        : [[source.secret.name, (source.secret.items ?? []).map(({ key }) => key)]],
    ),
  ])
}
