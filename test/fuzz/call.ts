/** Calls of bytes, and what is wrong with what comes back. */
import { Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { decodeErrorDetails, STATUS_DETAILS_KEY } from '@offstage/proto/error-details'
import { REASONS, type Reason } from '@offstage/proto/reasons'
import { accessTo, callingAs } from '../guarded/access.ts'

export interface FuzzCall {
  readonly path: string
  readonly requests: readonly Buffer[]
  readonly headers: Readonly<Record<string, string>>
  /** A call that may wait is cut off after this time without a word; another has to be answered. */
  readonly waits: boolean
}

export interface FuzzAnswer {
  readonly code: status
  readonly text: string
  readonly reason: string | undefined
  readonly messages: readonly Buffer[]
  /** Everything in the trailers, as text. */
  readonly trailers: string
  /** It was cut off, having waited. */
  readonly cut: boolean
}

const WAIT_MS = 250
const ANSWER_MS_MAX = 30_000
/** Of answers that are gathered; more of them are let go. */
const GATHERED_BYTES_MAX = 4 * 1024 * 1024

const same = (bytes: Buffer) => bytes

export function call(
  client: Client,
  { path, requests, headers, waits }: FuzzCall,
): Promise<FuzzAnswer> {
  const metadata = new Metadata()
  for (const [key, value] of Object.entries({ ...callerHeaders(), ...headers }))
    metadata.set(key, value)
  const deadline = Date.now() + ANSWER_MS_MAX
  const stream = client.makeBidiStreamRequest(path, same, same, metadata, { deadline })
  const messages: Buffer[] = []
  let gathered = 0
  let cut = false
  return new Promise((resolve) => {
    const timer = waits
      ? setTimeout(() => {
          cut = true
          stream.cancel()
        }, WAIT_MS)
      : undefined
    stream.on('data', (message: Buffer) => {
      gathered += message.length
      if (gathered < GATHERED_BYTES_MAX) messages.push(message)
    })
    const done = (code: status, text: string, trailers?: Metadata) => {
      clearTimeout(timer)
      resolve({ code, text, messages, cut, ...toldBy(trailers) })
    }
    stream.on('error', (error: ServiceError) => done(error.code, error.details, error.metadata))
    stream.on('end', () => done(status.OK, ''))
    for (const request of requests) stream.write(request)
    stream.end()
  })
}

function toldBy(trailers: Metadata | undefined) {
  const bytes = trailers?.get(STATUS_DETAILS_KEY)[0]
  const details = Buffer.isBuffer(bytes) ? bytes : undefined
  const reason = details && decodeErrorDetails(details).reason
  return {
    reason,
    trailers: `${details?.toString('latin1') ?? ''} ${JSON.stringify(trailers?.getMap() ?? {})}`,
  }
}

/** What only PostgreSQL, a file system or a stack says. No value of a fuzzed field says it. */
const CAUSE_TEXT = [
  /\b(SELECT|INSERT INTO|UPDATE offstage|DELETE FROM|ON CONFLICT|RETURNING|FOR UPDATE)\b/,
  /\b(relation|column|constraint|operator|function) "/,
  /duplicate key|violates|syntax error|invalid byte sequence|invalid input syntax|out of range for type/,
  /unsupported Unicode|cannot be converted to text|index row|exceeds .* maximum|statement timeout|deadlock/,
  /offstage(_storage)?\.(jobs|job_|attachments|executors|methods|namespaces|temp_values|scopes|uploads|usage|finished_puts)\b(?!\.v1)/,
  /\bE(NOENT|ACCES|PERM|ISDIR|NOTDIR|NAMETOOLONG|NOSPC|MFILE|XIST|INVAL)\b/,
  /node_modules|\/services\/|\/tmp\/|postgres:\/\/|nats:\/\//,
  /Cannot read propert|is not a function|is not iterable|Invalid (array|string) length/,
]

/** What must not be in an answer; empty when it is as it should be. */
export function faultsOf({ waits }: FuzzCall, answer: FuzzAnswer): string[] {
  const { code, reason, text, cut } = answer
  const faults: string[] = []
  const said = [text, answer.trailers, ...answer.messages.map((bytes) => bytes.toString('latin1'))]
  for (const pattern of CAUSE_TEXT) {
    const found = said.map((one) => pattern.exec(one)?.[0]).find((one) => one !== undefined)
    if (found !== undefined) faults.push(`says "${found}"`)
  }
  if (cut) return faults
  if (code === status.OK) return faults
  if (code === status.INTERNAL || code === status.UNKNOWN) faults.push(`${status[code]}: ${text}`)
  else if (code === status.DEADLINE_EXCEEDED && reason === undefined) faults.push('gave no answer')
  else if (reason === undefined) {
    if (!isOfGrpc(answer)) faults.push(`${status[code]} without a reason: ${text}`)
  } else if (status[REASONS[reason as Reason]?.code as keyof typeof status] !== code && !waits) {
    faults.push(`${reason} with ${status[code]}`)
  }
  return faults
}

/** A message over the limit is refused by grpc-js, before anything of ours. */
function isOfGrpc({ code, text }: FuzzAnswer): boolean {
  return code === status.RESOURCE_EXHAUSTED && /larger than max/.test(text)
}

/** Who calls where the services ask: an administrator, who gets furthest. */
export function callerHeaders(): Record<string, string> {
  const { token } = callingAs('admin')
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

/** Clients for the addresses, several connections for each. */
export function connect(address: string): Client {
  const access = accessTo(address, '')
  return new Client(address, access.credentials, {
    ...access.options,
    'grpc.max_receive_message_length': 64 * 1024 * 1024,
    'grpc.max_send_message_length': 64 * 1024 * 1024,
  })
}
