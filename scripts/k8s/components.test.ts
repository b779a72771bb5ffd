/** What is optional: components that an overlay may take beside what it has. */
import { expect, test } from 'vitest'
import proto from '../../proto/package.json' with { type: 'json' }
import { faultsIn } from './check.ts'
import { podOf, workloadsOf } from './manifests.ts'
import { folderOf, parseManifests, render } from './render.ts'
import { productionWith } from './with-components.ts'

test('monitoring lets Prometheus scrape the plain port of each service, and nothing else', async () => {
  const manifests = parseManifests(await productionWith('monitoring'))
  expect(faultsIn(manifests)).toEqual([])
  const kinds = manifests.map(({ kind }) => kind)
  expect(kinds).toEqual(expect.arrayContaining(['PodMonitor', 'PrometheusRule']))
  const dashboard = manifests.find(({ metadata }) => metadata.name === 'offstage-dashboard')
  expect(dashboard?.metadata.labels).toMatchObject({ grafana_dashboard: '1' })
})

test('cert-manager is asked for every certificate that is mounted, valid for the names services are called by', async () => {
  const manifests = parseManifests(await productionWith('cert-manager'))
  expect(faultsIn(manifests)).toEqual([])
  const certificates = manifests
    .filter(({ kind }) => kind === 'Certificate')
    .map(({ spec }) => spec as { secretName: string; dnsNames?: string[] })
  const made = certificates.map(({ secretName }) => secretName)
  const mounted = workloadsOf(manifests)
    .flatMap((each) => podOf(each).volumes ?? [])
    .flatMap(({ secret }) => secret?.secretName ?? [])
  expect(mounted).toEqual(['executor-tls', 'scheduler-tls', 'storage-tls'])
  expect(made).toEqual(expect.arrayContaining(mounted))
  for (const service of ['scheduler', 'storage']) {
    const own = certificates.find(({ secretName }) => secretName === `${service}-tls`)
    const names = ['', '.offstage', '.offstage.svc', '.offstage.svc.cluster.local']
    expect(own?.dnsNames).toEqual(names.map((name) => service + name))
  }
})

test('the Job of migrations is one of this version', async () => {
  const jobs = (await render(folderOf('production'))).filter(({ kind }) => kind === 'Job')
  expect(jobs.map(({ metadata }) => metadata.name)).toEqual([
    `migrations-${proto.version.replaceAll('.', '-')}`,
  ])
})
