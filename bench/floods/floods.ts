/** What one caller can do to a scheduler: each flood is kept up until the process ends. */
import { once } from 'node:events'
import { connect } from 'node:http2'
import { credentials, Metadata } from '@grpc/grpc-js'
import {
  GetJobRequest,
  JobServiceClient,
  ListJobsRequest,
  StartJobsRequest,
  WatchJobsRequest,
} from '@offstage/proto/jobs'

/** Whom the floods come from. */
export const FLOODER = 'mallory'

export interface Flood {
  readonly about: string
  /** Begins it; resolves when it is under way. */
  start(address: string, jobIds: readonly string[]): Promise<void>
}

type Call<Req> = (
  request: Req,
  metadata: Metadata,
  options: object,
  done: (error: Error | null) => void,
) => unknown

/** Keeps so many calls in flight. */
function keepInFlight<Req>(count: number, call: Call<Req>, request: () => Req): void {
  const metadata = new Metadata()
  metadata.set('offstage-user', FLOODER)
  const again = (error: Error | null) => {
    // Whoever floods does not listen to RetryInfo, but one that spins would measure its own haste.
    if (error === null) next()
    else setTimeout(next, 100)
  }
  const next = () => void call(request(), metadata, { deadline: Date.now() + 60_000 }, again)
  for (let i = 0; i < count; i++) next()
}

const clientOf = (address: string) =>
  new JobServiceClient(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  })

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export const FLOODS: Readonly<Record<string, Flood>> = {
  listings: {
    about: '1,000 listings in flight that match nothing, among a million jobs',
    async start(address) {
      const client = clientOf(address)
      const request = ListJobsRequest.fromPartial({ filter: { owner: 'nobody' } })
      keepInFlight(1_000, client.listJobs.bind(client), () => request)
    },
  },
  starts: {
    about: '200 StartJobs of 1,000 in flight',
    async start(address) {
      const client = clientOf(address)
      const delay = { seconds: 86_400n, nanos: 0 }
      const job = { method: 'bench.noop', delay }
      const request = StartJobsRequest.fromPartial({
        jobs: Array.from({ length: 1_000 }, () => job),
      })
      keepInFlight(200, client.startJobs.bind(client), () => request)
    },
  },
  watches: {
    about: '2,000 watches of 200 ended jobs that never read',
    async start(address, jobIds) {
      const session = connect(`http://${address}`)
      session.on('error', () => {})
      await once(session, 'connect')
      const add = jobIds.map((jobId) => ({ jobId, afterSequence: 0 }))
      const bytes = framed(WatchJobsRequest.encode(WatchJobsRequest.fromPartial({ add })).finish())
      for (let i = 0; i < 2_000; i++) {
        const stream = session.request({
          ':method': 'POST',
          ':path': '/offstage.jobs.v1.JobService/WatchJobs',
          'content-type': 'application/grpc',
          te: 'trailers',
          'offstage-user': FLOODER,
        })
        stream.on('error', () => {})
        stream.pause().write(bytes)
      }
    },
  },
  gets: {
    about: '5,000 GetJob in flight on one connection',
    async start(address, jobIds) {
      const client = clientOf(address)
      let turn = 0
      keepInFlight(5_000, client.getJob.bind(client), () =>
        GetJobRequest.fromPartial({ jobId: jobIds[turn++ % jobIds.length] ?? '' }),
      )
    },
  },
}
