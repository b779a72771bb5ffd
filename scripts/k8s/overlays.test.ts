import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkIdentity } from '@offstage/kit/auth/tokens'
import { describe, expect, test } from 'vitest'
import proto from '../../proto/package.json' with { type: 'json' }
import { executorFields } from '../../services/executor/src/config.ts'
import { schedulerFields } from '../../services/scheduler/src/config.ts'
import { storageFields } from '../../services/storage/src/config.ts'
import { faultsIn } from './check.ts'
import {
  containersOf,
  type Manifest,
  podOf,
  SERVICES,
  type ServiceName,
  serviceOf,
  variableValue,
  workloadsOf,
} from './manifests.ts'
import { folderOf, overlays, render } from './render.ts'

const FIELDS = { scheduler: schedulerFields, storage: storageFields, executor: executorFields }
const REQUIRED: Readonly<Record<ServiceName, readonly string[]>> = {
  scheduler: ['OFFSTAGE_SCHEDULER_DATABASE_URL', 'OFFSTAGE_NATS_URL', 'OFFSTAGE_IDENTITY'],
  storage: ['OFFSTAGE_STORAGE_DATABASE_URL', 'OFFSTAGE_NATS_URL', 'OFFSTAGE_IDENTITY'],
  executor: ['OFFSTAGE_JOBS', 'OFFSTAGE_TOKEN_FILE'],
}

describe.each(overlays())('the overlay %s', (overlay) => {
  const rendered = render(folderOf(overlay))

  test('is what the schemas of Kubernetes and our own rules want', async () => {
    expect(faultsIn(await rendered)).toEqual([])
  })

  test('sets variables to what the services take', async () => {
    const manifests = await rendered
    for (const service of SERVICES) {
      const env = environmentOf(service, manifests)
      expect(Object.keys(env)).toEqual(expect.arrayContaining([...REQUIRED[service]]))
      for (const { name, schema } of Object.values(FIELDS[service])) {
        const text = env[name]
        if (text === undefined) continue
        const { error } = schema.safeParse(text)
        expect(error?.issues.map(({ message }) => `${name}: ${message}`) ?? []).toEqual([])
      }
    }
  })

  test('names files that a volume of the pod brings', async () => {
    for (const workload of workloadsOf(await rendered)) {
      if (serviceOf(workload) === undefined) continue
      const { containers } = podOf(workload)
      const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts)
      for (const { name, value } of containers.flatMap(({ env = [] }) => env)) {
        if (!/_(FILE|CERT|KEY|CA|DIR)$|_IDENTITY$/.test(name)) continue
        const isMounted = mounts.some(({ mountPath }) => value?.startsWith(`${mountPath}/`))
        expect(isMounted, `${name}=${value} of ${workload.metadata.name}`).toBe(true)
      }
    }
  })

  test('has an identity file that services take', async () => {
    const map = (await rendered).find(
      ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'identity',
    )
    const folder = mkdtempSync(join(tmpdir(), 'offstage-identity-'))
    const identity = join(folder, 'identity.json')
    writeFileSync(identity, map?.data?.['identity.json'] ?? '')
    try {
      expect(checkIdentity({ identity, host: '0.0.0.0' }, 'HOST')).toEqual([])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('runs images of this version', async () => {
    const images = workloadsOf(await rendered).flatMap((each) =>
      containersOf(each).map(({ image }) => image),
    )
    const ours = images.filter((image) => image.startsWith('offstage/'))
    expect(new Set(ours.map((image) => image.split(':')[1]))).toEqual(new Set([proto.version]))
  })
})

function environmentOf(service: ServiceName, manifests: readonly Manifest[]) {
  const workload = workloadsOf(manifests).find((each) => serviceOf(each) === service)
  const variables = workload === undefined ? [] : podOf(workload).containers[0]?.env
  return Object.fromEntries(
    (variables ?? []).map((each) => [each.name, variableValue(each, manifests)]),
  )
}
