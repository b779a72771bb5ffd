/** The process as it is deployed: its environment, its death, its memory. Over a real PostgreSQL. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPostgres } from '@offstage/kit/database'
import { PutValueHeader } from '@offstage/proto/storage'
import {
  createSharedDatabase,
  type SpawnedProcess,
  spawnProcess,
  startPostgres,
  until,
} from '@offstage/testkit'
import { expect, test } from 'vitest'
import { connectStorage, refusalOf } from './testing/storage-client.ts'

const KIB = 1024
const MIB = 1024 * KIB
const main = new URL('./main.ts', import.meta.url)

interface Place extends AsyncDisposable {
  readonly dataDir: string
  readonly env: Record<string, string>
  start(env?: Record<string, string>): Promise<SpawnedProcess & { readonly address: string }>
  blobFiles(): Promise<string[]>
  run(text: string): Promise<void>
}

/** A PostgreSQL database and a data directory for processes to come and go. */
async function setup(): Promise<Place> {
  const resources = new AsyncDisposableStack()
  const { url } = resources.use(await createSharedDatabase())
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-storage-'))
  resources.defer(() => rm(dataDir, { recursive: true }))
  const env = {
    OFFSTAGE_STORAGE_PORT: '0',
    OFFSTAGE_STORAGE_DATABASE_URL: url,
    OFFSTAGE_STORAGE_DATA_DIR: dataDir,
    OFFSTAGE_STORAGE_SWEEP_EVERY: '20ms',
    OFFSTAGE_STORAGE_ORPHAN_SWEEP_EVERY: '20ms',
  }
  return {
    dataDir,
    env,
    async start(more = {}) {
      const ready = /"address":"([^"]+)".*serving gRPC/
      const started = await spawnProcess({ main, env: { ...env, ...more }, ready })
      return Object.assign(started, { address: started.ready[1] ?? '' })
    },
    async run(text) {
      await using database = await openPostgres({ url, poolSize: 1 })
      await database.query({ name: '', text })
    },
    blobFiles: async () =>
      (await readdir(join(dataDir, 'blobs'), { recursive: true })).filter((name) =>
        name.includes('/'),
      ),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

const header = (value: Partial<PutValueHeader>) => ({
  part: { $case: 'header' as const, value: PutValueHeader.fromPartial(value) },
})

test('a process killed during a put leaves the old value, and the next sweeps the half-written file', async () => {
  await using place = await setup()
  const old = randomBytes(MIB)
  let address = ''
  {
    await using first = await place.start()
    using client = connectStorage(first.address)
    address = (await client.put(old)).address
    const { stream, answer } = client.beginPut()
    stream.write(header({ address }))
    stream.write({ part: { $case: 'chunk', value: randomBytes(MIB) } })
    await until(async () => (await place.blobFiles()).length === 2)
    await first.kill('SIGKILL')
    await expect(answer).rejects.toBeDefined()
  }
  await using second = await place.start()
  using client = connectStorage(second.address)
  expect((await client.get(address)).bytes.equals(old)).toBe(true)
  expect(await place.blobFiles()).toHaveLength(2)
  await place.run('UPDATE offstage_storage.blob_writers SET lease_until = now()')
  await until(async () => (await place.blobFiles()).length === 1, {
    what: 'the half-written file is swept',
  })
  expect((await client.readAndDelete(address)).bytes.equals(old)).toBe(true)
})

test('a process that was suspended while another took it for dead loses nothing it acknowledges', async () => {
  await using place = await setup()
  await using suspended = await place.start()
  await using sweeping = await place.start()
  using client = connectStorage(suspended.address)
  const bytes = randomBytes(MIB)
  const { stream, answer } = client.beginPut()
  stream.write(header({}))
  stream.write({ part: { $case: 'chunk', value: bytes } })
  await until(async () => (await place.blobFiles()).length === 1)
  suspended.signal('SIGSTOP')
  stream.end()
  await place.run('UPDATE offstage_storage.blob_writers SET lease_until = now()')
  await until(async () => (await place.blobFiles()).length === 0)
  suspended.signal('SIGCONT')
  expect((await refusalOf(answer)).reason).toBe('STORAGE_UNAVAILABLE')
  const { address } = await client.put(bytes)
  using other = connectStorage(sweeping.address)
  expect((await other.get(address)).bytes.equals(bytes)).toBe(true)
})

test('a process killed during a read-and-delete loses nothing', async () => {
  await using place = await setup()
  const bytes = randomBytes(20 * MIB)
  let address = ''
  {
    await using first = await place.start()
    using client = connectStorage(first.address)
    address = (await client.put(bytes)).address
    const stream = client.raw.readAndDeleteValue(
      { address, ifSha256: Buffer.alloc(0) },
      client.metadata,
    )
    const reader = stream[Symbol.asyncIterator]()
    await reader.next()
    await first.kill('SIGKILL')
    await expect(drain(reader)).rejects.toBeDefined()
  }
  await using second = await place.start()
  using client = connectStorage(second.address)
  expect((await client.get(address)).bytes.equals(bytes)).toBe(true)
})

test('an upload goes on at once, in one call, after its process was killed and another started', async () => {
  await using place = await setup()
  const bytes = randomBytes(9 * MIB)
  let uploadId = ''
  {
    await using first = await place.start()
    using client = connectStorage(first.address)
    uploadId = await client.startUpload({ size: BigInt(bytes.length) })
    const { stream, answer } = client.beginPut()
    stream.write(header({ uploadId }))
    for (let at = 0; at < 8 * MIB; at += MIB) {
      stream.write({ part: { $case: 'chunk', value: bytes.subarray(at, at + MIB) } })
    }
    await until(async () => (await client.getUpload(uploadId)).received > 0n)
    await first.kill('SIGKILL')
    await expect(answer).rejects.toBeDefined()
  }
  await using second = await place.start()
  using client = connectStorage(second.address)
  const { received } = await client.getUpload(uploadId)
  const rest = bytes.subarray(Number(received))
  const { address } = await client.put(rest, { uploadId, offset: received })
  expect((await client.readAndDelete(address)).bytes.equals(bytes)).toBe(true)
})

async function drain(reader: AsyncIterator<unknown>): Promise<void> {
  while (!(await reader.next()).done);
}

/** More than a process grows by while it warms up. */
const PASSED_MIB = 96

test('96 MiB pass both ways without the memory growing by what passes', async () => {
  await using place = await setup()
  await using storage = await place.start()
  using client = connectStorage(storage.address)
  await client.readAndDelete((await client.put(randomBytes(8 * MIB))).address)
  const before = await peakRssBytes(storage.pid)
  const chunk = randomBytes(MIB)
  const sha256 = createHash('sha256')
  const { stream, answer } = client.beginPut()
  stream.write(header({ size: BigInt(PASSED_MIB * MIB) }))
  for (let sent = 0; sent < PASSED_MIB; sent++) {
    sha256.update(chunk)
    const taken = stream.write({ part: { $case: 'chunk', value: chunk } })
    if (!taken) await new Promise((drained) => stream.once('drain', drained))
  }
  stream.end()
  const value = (await answer).value
  expect(value?.sha256).toEqual(sha256.digest())
  const read = client.raw.readAndDeleteValue(
    { address: value?.address ?? '', ifSha256: Buffer.alloc(0) },
    client.metadata,
  )
  let bytes = 0
  for await (const { part } of read) {
    if (part?.$case === 'chunk') bytes += part.value.length
    // The reader stalls: a service that does not wait for it would read all of it meanwhile.
    if (bytes === 256 * KIB) {
      for (let i = 0; i < 200; i++) await client.describe(value?.address ?? '')
    }
  }
  expect(bytes).toBe(PASSED_MIB * MIB)
  const grownBytes = (await peakRssBytes(storage.pid)) - before
  expect(grownBytes).toBeLessThan((PASSED_MIB * MIB * 3) / 4)
})

/** The most memory the process has had so far. */
async function peakRssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

test('a data directory that cannot be written is named, with its variable', async () => {
  await using place = await setup()
  const file = join(place.dataDir, 'file')
  await writeFile(file, '')
  const started = place.start({ OFFSTAGE_STORAGE_DATA_DIR: join(file, 'data') })
  await expect(started).rejects.toThrow(/exit code 78/)
  await expect(started).rejects.toThrow(`OFFSTAGE_STORAGE_DATA_DIR: cannot write in ${file}/data`)
})

test('a data directory of another database is refused before anything in it is touched', async () => {
  await using place = await setup()
  await using other = await setup()
  {
    await using first = await place.start()
    using client = connectStorage(first.address)
    await client.put(randomBytes(MIB))
  }
  const wrong = other.start({ OFFSTAGE_STORAGE_DATA_DIR: place.dataDir })
  await expect(wrong).rejects.toThrow(/OFFSTAGE_STORAGE_DATA_DIR: .*another database/)
  expect(await place.blobFiles()).toHaveLength(1)
})

test('an environment that is wrong is told whole', async () => {
  const env = {
    OFFSTAGE_STORAGE_PORT: 'http',
    OFFSTAGE_STORAGE_DATA_DIR: undefined,
    OFFSTAGE_STORAGE_DATABASE_URL: 'mysql://root:secret@db/x',
    OFFSTAGE_STORAGE_ORPHAN_GRACE: '9s',
  }
  const started = spawnProcess({ main, env, ready: /serving/ })
  await expect(started).rejects.toThrow(/exit code 78/)
  for (const name of Object.keys(env)) await expect(started).rejects.toThrow(name)
  await expect(started).rejects.not.toThrow('secret')
})

test('while the database is away calls are told to come back, and then go on', async () => {
  await using server = await startPostgres()
  await using place = await setup()
  const database = await server.createDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'offstage-storage-'))
  await using _removed = { [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true }) }
  await using storage = await place.start({
    OFFSTAGE_STORAGE_DATABASE_URL: database,
    OFFSTAGE_STORAGE_DATA_DIR: dataDir,
  })
  using client = connectStorage(storage.address)
  const { address } = await client.put(Buffer.from('kept'))
  await server.stop('immediate')
  const refusal = await refusalOf(client.put(Buffer.from('lost')))
  expect(refusal.reason).toBe('DATABASE_UNAVAILABLE')
  await server.start()
  await until(async () => (await client.get(address).catch(() => undefined)) !== undefined)
  expect((await client.get(address)).bytes.toString()).toBe('kept')
})
