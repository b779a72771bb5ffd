import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceError,
} from '@grpc/grpc-js'
import { errorFromStatus } from '@offstage/sdk/grpc'
import { accessTo } from '../guarded/access.ts'

// biome-ignore lint/suspicious/noExplicitAny: whatever the RPC takes and gives
type AnyMessage = any

/** An RPC of any service and any shape. */
export interface AnyRpc {
  readonly address: string
  /** Who signed its certificate, as PEM. Default: that of the environment, else plain text. */
  readonly ca?: string | undefined
  readonly definition: MethodDefinition<AnyMessage, AnyMessage>
  /** What it is called over; absent: a connection of its own for each call. */
  readonly client?: Client
}

export interface AnyAnswer {
  /** `OK`, else the reason of the error. */
  readonly outcome: string
  readonly text: string
  readonly messages: readonly AnyMessage[]
}

/** Calls it with one request, of which only what matters is given, or with several whole ones; gathers what comes back. */
export async function callAnyRpc(
  rpc: AnyRpc,
  request: object | readonly object[],
  headers: Readonly<Record<string, string>>,
): Promise<AnyAnswer> {
  const { definition } = rpc
  const { path, requestSerialize, responseDeserialize } = definition
  const metadata = new Metadata()
  for (const [key, value] of Object.entries(headers)) if (value !== '') metadata.set(key, value)
  const client = rpc.client ?? connectTo(rpc)
  const messages: AnyMessage[] = []
  // Every shape can be called as a duplex stream: on the wire they are the same.
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata, {
    deadline: Date.now() + 30_000,
  })
  try {
    await new Promise<void>((resolve, reject) => {
      call.on('data', (message) => messages.push(message))
      call.on('error', reject)
      call.on('end', resolve)
      const requests = Array.isArray(request)
        ? request
        : [{ ...definition.requestDeserialize(Buffer.alloc(0)), ...request }]
      for (const one of requests) call.write(one)
      call.end()
    })
    return { outcome: 'OK', text: '', messages }
  } catch (error) {
    const { reason, message } = errorFromStatus(error as ServiceError)
    return { outcome: reason, text: message, messages }
  } finally {
    if (rpc.client === undefined) client.close()
  }
}

export function connectTo({ address, ca }: Pick<AnyRpc, 'address' | 'ca'>): Client {
  const access =
    ca === undefined
      ? accessTo(address, '')
      : { credentials: credentials.createSsl(Buffer.from(ca)), options: {} }
  return new Client(address, access.credentials, access.options)
}
