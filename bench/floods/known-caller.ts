import { randomUUID } from 'node:crypto'
import { credentials, Metadata, status } from '@grpc/grpc-js'
import { GetJobRequest, JobServiceClient } from '@offstage/proto/jobs'
import { rate } from '../hot-path/rate.ts'

const IN_FLIGHT = 16

/** A caller with a token, who asks for jobs that are not there. */
export function connectKnown(address: string, token: string) {
  const client = new JobServiceClient(address, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  const ask = () =>
    new Promise<number>((resolve, reject) => {
      const request = GetJobRequest.fromPartial({ jobId: randomUUID() })
      client.getJob(request, metadata, (error) =>
        error?.code === status.NOT_FOUND ? resolve(1) : reject(error ?? new Error('it is there')),
      )
    })
  return {
    /** Calls a second, for a while. */
    rate: (seconds: number) => rate(seconds, IN_FLIGHT, ask),
    [Symbol.dispose]: () => client.close(),
  }
}
