/**
 * Relays the calls of one process of handlers on a thread of their own: whatever a process sends there, garbage or floods of it, is heard
 * by no other. The leases of the executor and the calls of other processes do not wait for it.
 */
import { rmSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { CertificateFiles } from '@offstage/proto/certificate-files'
import type { ProcessRelay } from '../ports.ts'
import { newFolder, placesIn } from './relay.ts'

export interface OpenRelayOptions {
  /** Address of the scheduler. */
  readonly scheduler: string
  /** Address of the storage service. */
  readonly storage: string
  /** What the executor shows the services. */
  readonly tls: CertificateFiles & { readonly reloadMs?: number }
  /** Told why one has ended before it was closed. */
  onLost(error: Error): void
}

/** Given to the thread as its `workerData`. */
export interface RelayThreadOptions extends Omit<OpenRelayOptions, 'onLost'> {
  readonly folder: string
}

const ENTRY = new URL('./relay-thread.ts', import.meta.url)
/** How long the thread may take to close by itself. */
const CLOSE_MS = 1_000
/** What is in use of it for parsing; messages are outside of it. */
const HEAP_MIB_MAX = 128

/** Listens soon: who dials before that is dialled again by the client. */
export function openRelay({ onLost, ...options }: OpenRelayOptions): ProcessRelay {
  const folder = newFolder()
  const worker = new Worker(ENTRY, {
    name: 'relay',
    workerData: { ...options, folder } satisfies RelayThreadOptions,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  })
  let isClosing = false
  let isAsked = false
  worker.on('error', (error: Error) => {
    if (!isClosing) onLost(error)
  })
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      rmSync(folder, { recursive: true, force: true })
      resolve()
    })
  })
  worker.unref()
  return {
    places: placesIn(folder),
    async memoryBytes() {
      if (isAsked || isClosing) return undefined
      isAsked = true
      try {
        const { used_heap_size, external_memory } = await worker.getHeapStatistics()
        return used_heap_size + external_memory
      } catch {
        // It starts, or ends.
        return undefined
      } finally {
        isAsked = false
      }
    },
    async close() {
      if (isClosing) return exited
      isClosing = true
      // Whatever becomes of the thread, should the executor end meanwhile.
      rmSync(folder, { recursive: true, force: true })
      worker.postMessage('close')
      const late = setTimeout(() => void worker.terminate(), CLOSE_MS)
      await exited
      clearTimeout(late)
    },
  }
}
