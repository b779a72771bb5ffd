import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { AttachRequest, ExecutorServiceClient } from '@offstage/proto/executor'
import { JobServiceClient, ListJobsRequest } from '@offstage/proto/jobs'
import { defineJob } from '@offstage/sdk/jobs'
import { z } from 'zod'

/** What one tries that wants to be its executor. */
export const intrude = defineJob({
  method: 'guarded.intrude',
  params: z.object({ stolen: z.string() }),
  async run(job, { stolen }) {
    const sockets = readdirSync(tmpdir()).filter((name) =>
      existsSync(join(tmpdir(), name, 'scheduler')),
    )
    const socket = `unix:${join(tmpdir(), sockets[0] ?? '', 'scheduler')}`
    return {
      sockets: sockets.length,
      environment: Object.keys(process.env).filter((name) => name.startsWith('OFFSTAGE')),
      bare: await list(socket),
      stolen: await list(socket, `Bearer ${stolen}`),
      attach: await attach(socket),
      // Of its own client, with all that the scheduler says of it.
      refusal: await job.startJob('guarded.unknown').then(
        () => '',
        ({ reason }) => reason,
      ),
    }
  },
})

function list(socket: string, authorization?: string): Promise<string> {
  const client = new JobServiceClient(socket, credentials.createInsecure())
  const metadata = new Metadata()
  if (authorization !== undefined) metadata.set('authorization', authorization)
  return new Promise<string>((resolve) =>
    client.listJobs(ListJobsRequest.fromPartial({}), metadata, (error, answer) =>
      resolve(error === null ? `${answer.jobs.length} jobs` : codeOf(error)),
    ),
  ).finally(() => client.close())
}

function attach(socket: string): Promise<string> {
  const client = new ExecutorServiceClient(socket, credentials.createInsecure())
  return new Promise<string>((resolve) => {
    const stream = client.attach()
    stream.on('error', (error: ServiceError) => resolve(codeOf(error)))
    stream.on('data', () => resolve('attached'))
    stream.write(AttachRequest.fromPartial({ heartbeat: true }))
  }).finally(() => client.close())
}

function codeOf({ code }: ServiceError): string {
  return status[code]
}
