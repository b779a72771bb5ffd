/** What the overlay `keda` tells KEDA, and whom the scheduler takes it for. */
import type { Actor } from '@offstage/kit/auth'
import { expect, test } from 'vitest'
import { scaleTermsFrom } from '../../services/scheduler/src/grpc/scale-terms.ts'
import type { Manifest } from './manifests.ts'
import { folderOf, parseManifests, render } from './render.ts'
import { productionWith } from './with-components.ts'

interface Trigger {
  readonly type: string
  readonly metadata: Readonly<Record<string, string>>
  readonly authenticationRef: { readonly name: string }
}

const keda = render(folderOf('keda'))

test('the trigger is one that the scheduler answers, with a certificate that it knows', async () => {
  const manifests = await keda
  const { triggers } = specOf(manifests, 'ScaledObject') as { triggers: Trigger[] }
  const [{ type, metadata, authenticationRef } = fail()] = triggers
  expect(type).toBe('external-push')
  const actor = { namespaces: 'all' } as unknown as Actor
  expect(scaleTermsFrom(metadata, actor)).toMatchObject({
    target: 10,
    methods: ['*'],
    pools: ['default'],
  })
  expect(metadata.scalerAddress).toBe('scheduler.offstage.svc.cluster.local:7701')

  const { secretTargetRef } = specOf(
    manifests,
    'TriggerAuthentication',
    authenticationRef.name,
  ) as {
    secretTargetRef: { name: string; parameter: string }[]
  }
  expect(secretTargetRef.map(({ parameter }) => parameter)).toEqual([
    'caCert',
    'tlsClientCert',
    'tlsClientKey',
  ])
  const identity = manifests.find(({ metadata: { name } }) => name === 'identity')
  const { certificates } = JSON.parse(identity?.data?.['identity.json'] ?? '')
  expect(certificates).toEqual([{ subject: 'keda', roles: ['scaler'], namespaces: ['default'] }])

  const withCertificates = parseManifests(await productionWith('cert-manager'))
  const made = specOf(withCertificates, 'Certificate', 'keda')
  expect(made).toMatchObject({ secretName: secretTargetRef[0]?.name, dnsNames: ['keda'] })
})

test('nothing else scales executors', async () => {
  const scaled = (await keda)
    .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    .map(({ metadata }) => metadata.name)
  expect(scaled).toEqual(['scheduler'])
})

function specOf(manifests: readonly Manifest[], kind: string, name?: string): unknown {
  const found = manifests.find(
    (each) => each.kind === kind && (name === undefined || each.metadata.name === name),
  )
  return found?.spec ?? fail()
}

function fail(): never {
  throw new Error('is not there')
}
