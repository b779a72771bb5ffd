import type { PeerCertificate } from 'node:tls'
import { expect, test } from 'vitest'
import { namesIn } from './certificate-names.ts'

const named = (CN: unknown, subjectaltname?: string) =>
  namesIn({ subject: { CN }, subjectaltname } as PeerCertificate)

test('the common name, DNS names and URIs of a certificate are its names, addresses are not', () => {
  expect(named('keda')).toEqual(['keda'])
  expect(named(undefined, 'DNS:a.keda.svc, IP Address:10.0.0.1, URI:spiffe://x/ns/keda')).toEqual([
    'a.keda.svc',
    'spiffe://x/ns/keda',
  ])
})

test('a name that only looks like several, and several common names, name nobody', () => {
  expect(named(undefined, 'DNS:"a, DNS:keda", DNS:b')).toEqual(['b'])
  expect(named(undefined, 'URI:"http://x/, DNS:keda"')).toEqual([])
  expect(named(['keda', 'other'])).toEqual([])
})
