import { credentials } from '@grpc/grpc-js'
import * as proto from '@offstage/proto/jobs'
import { ask } from './ask.ts'
import type { Draft } from './draft.ts'
import { clientOptions } from './faults/faults.ts'

/** Changes what is set for the namespace `default`, as `dev` where nobody is named. */
export async function updateNamespace(
  address: string,
  namespace: Draft<proto.Namespace> | undefined,
  { mask, user }: { readonly mask?: readonly string[]; readonly user?: string } = {},
): Promise<proto.Namespace | undefined> {
  const client = new proto.NamespaceServiceClient(
    address,
    credentials.createInsecure(),
    clientOptions(),
  )
  try {
    const request = { namespace, updateMask: mask }
    const type = proto.UpdateNamespaceRequest
    const answer: proto.UpdateNamespaceResponse = await ask(
      client,
      client.updateNamespace,
      type,
      request,
      user,
    )
    return answer.namespace
  } finally {
    client.close()
  }
}
