import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js'
import { complete, type Draft } from './draft.ts'

/** Calls a method of a client with what matters of its request; as `dev`, or whom `user` names. */
export function ask<Req, Res>(
  client: Client,
  method: (
    request: Req,
    metadata: Metadata,
    options: object,
    done: (error: ServiceError | null, answer: Res) => void,
  ) => unknown,
  type: { fromPartial(draft: never): Req },
  draft: Draft<NoInfer<Req>>,
  user = 'dev',
): Promise<Res> {
  const metadata = new Metadata()
  metadata.set('offstage-user', user)
  return new Promise((resolve, reject) => {
    method.call(client, complete(type, draft), metadata, {}, (error, answer) =>
      error === null ? resolve(answer) : reject(error),
    )
  })
}
