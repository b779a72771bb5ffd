/** Thousands of connections that speak anything but gRPC: the services go on serving, and let go of them. */
import { readdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { Offstage } from '@offstage/sdk'
import { createAuthority, until } from '@offstage/testkit'
import { describe, expect, test } from 'vitest'
import { createClusterCertificates } from './cluster/certificates.ts'
import { type ClusterMember, startCluster } from './cluster/cluster.ts'
import { double } from './cluster/jobs.ts'
import { ODD_CONNECTIONS, openOdd } from './cluster/odd-connections.ts'

const jobs = new URL('./cluster/jobs.ts', import.meta.url)
const OF_EACH_KIND = 60
const LINES_MAX = 100

async function place(encrypted: boolean) {
  const it = new AsyncDisposableStack()
  const certificates = it.use(await createClusterCertificates(await createAuthority()))
  const env = encrypted ? { ...certificates.env, OFFSTAGE_TLS_CLIENT_CA: '' } : {}
  const cluster = it.use(
    await startCluster({ jobs, schedulers: 1, executors: 1, storage: true, env }),
  )
  const places = { scheduler: cluster.target(), storage: cluster.storage }
  const { ca } = certificates.tls
  const offstage = it.use(await Offstage.connect({ ...places, ...(encrypted && { tls: { ca } }) }))
  return { cluster, offstage, [Symbol.asyncDispose]: () => it.disposeAsync() }
}

const filesOf = ({ process: { pid } }: ClusterMember) => readdirSync(`/proc/${pid}/fd`).length
const linesOf = ({ process: { stdout } }: ClusterMember) => stdout.split('\n').length

describe.each([
  ['plain ports', false],
  ['ports with TLS', true],
])('%s', (_name, encrypted) => {
  test('serve others while odd connections come and stay, and let go of them', {
    timeout: 120_000,
  }, async () => {
    await using it = await place(encrypted)
    const { cluster, offstage } = it
    const works = async (n: number) => {
      expect(await offstage.run(double, { n })).toBe(2 * n)
      const { address } = await offstage.storage.put({ n })
      expect(await offstage.storage.get(address)).toEqual({ n })
    }
    await works(1)
    const before = cluster.members.map((member) => ({
      files: filesOf(member),
      lines: linesOf(member),
    }))
    const open: Socket[] = []
    for (const [index, kind] of Object.values(ODD_CONNECTIONS).entries()) {
      const all = cluster.members.flatMap(({ address }) =>
        Array.from({ length: OF_EACH_KIND }, () => openOdd(address, kind)),
      )
      open.push(...(await Promise.all(all)))
      await works(index)
    }
    expect(open.length).toBeGreaterThan(2_000)
    await works(100)
    for (const socket of open) socket.destroy()
    for (const [index, member] of cluster.members.entries()) {
      const { files = 0, lines = 0 } = before[index] ?? {}
      const letGo = () => filesOf(member) < files + OF_EACH_KIND
      await until(letGo, { timeoutMs: 30_000, what: 'connections to be let go' })
      // Node warns of certificates for addresses.
      expect(member.process.stderr).not.toMatch(/^\s+at |ended by/m)
      expect(linesOf(member) - lines, 'lines in the log').toBeLessThan(LINES_MAX)
    }
    await works(101)
  })
})
