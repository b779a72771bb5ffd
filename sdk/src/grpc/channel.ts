import {
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  Channel as GrpcChannel,
} from '@grpc/grpc-js'
import { type ChannelTls, channelSecurity } from '@offstage/proto/channel-credentials'
import { resolutionOptions } from '@offstage/proto/name-resolution'

export type { ChannelTls }

/** Whom a call goes to, so that an error can say what to look at. */
export interface Target {
  /** `host:port`. */
  readonly address: string
  /** What answers there, for people: `the scheduler`. Default: `the service`. */
  readonly service?: string
  /** The environment variable that sets the address, e.g. `OFFSTAGE_SCHEDULER`. */
  readonly variable?: string
}

export interface ChannelOptions extends Omit<Target, 'address'> {
  /** Limit of one message in either direction. Default 16 MiB, as the services have it. */
  readonly maxMessageBytes?: number
  /** Default: plain text. */
  readonly tls?: ChannelTls
  /**
   * How long the other side may leave a ping unanswered while calls are open, in milliseconds: then the connection counts as
   * lost, its calls fail and the next address is tried. Default 30,000. Large transfers over a slow line need it long, since a
   * ping stands in the queue behind them.
   */
  readonly silenceMsMax?: number
}

type ClientConstructor<C extends Client> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => C

/** One connection, kept alive and mended by itself, shared by the clients made from it. */
export interface Channel extends Target, Disposable {
  /** A client of the given service, e.g. `JobServiceClient`, on this connection. */
  client<C extends Client>(Client: ClientConstructor<C>): C
  /** Ends the connection; calls still open on it fail. */
  close(): void
}

/** A server that is gone without a word is noticed after this. */
const SILENCE_MS_MAX = 30_000
/** What may be under way to us on one stream; Node's 64 KiB halve the rate of large downloads. */
const WINDOW_BYTES = 1024 * 1024
/** grpc-js would wait up to two minutes before it dials a restarted service again. */
const RECONNECT_MS_MAX = 5_000

/** An address as it may be shown; the path of a socket may have an @ in it. */
export function withoutLogin(address: string): string {
  return /^unix/.test(address) ? address : address.replace(/.*@/s, '***@')
}

/**
 * Makes a channel to `host:port` (or another gRPC name, such as `dns:///scheduler:7701`, whose addresses are called in turn).
 * Nothing is dialled before the first call, and an unreachable service is an error of the call.
 */
export function createChannel(address: string, options: ChannelOptions = {}): Channel {
  const shown = withoutLogin(address)
  if (shown !== address || /^https?:/i.test(address)) {
    throw new TypeError(`the address of a service is host:port, not a URL, with no login: ${shown}`)
  }
  const { maxMessageBytes = 16 * 1024 * 1024, silenceMsMax = SILENCE_MS_MAX } = options
  const { service, variable, tls } = options
  const security = channelSecurity(tls, address)
  const channel = new GrpcChannel(address, security.credentials, {
    ...security.options,
    ...resolutionOptions(address),
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    // Asked often, with time to answer: a process that computes for a while is not taken for a dead one.
    'grpc.keepalive_time_ms': silenceMsMax / 3,
    'grpc.keepalive_timeout_ms': (silenceMsMax * 2) / 3,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
    // Only the caller knows which calls may be repeated; see retrying().
    'grpc.enable_retries': 0,
  })
  const close = () => channel.close()
  return {
    address,
    service,
    variable,
    client: (Client) => new Client(address, security.credentials, { channelOverride: channel }),
    close,
    [Symbol.dispose]: close,
  }
}
