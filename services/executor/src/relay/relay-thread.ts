/** The entry of a thread that relays the calls of one process of handlers. */
import { parentPort, workerData } from 'node:worker_threads'
import { certificateSource } from '@offstage/proto/certificate-files'
import type { RelayThreadOptions } from './open-relay.ts'
import { Relay } from './relay.ts'

const { scheduler, storage, folder, tls }: RelayThreadOptions = workerData
const { reloadMs: everyMs, ...files } = tls
const source = { ...certificateSource(files, { everyMs }), clientCertificate: true }
const relay = new Relay({ scheduler, storage, folder, tls: source })
await relay.start()
parentPort?.once('message', async () => {
  await relay.stop()
  process.exit()
})
