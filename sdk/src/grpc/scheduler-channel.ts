import { type Channel, type ChannelOptions, createChannel } from './channel.ts'

/**
 * Shorter than the lease of executors, so that one whose scheduler froze is with another before its jobs are taken away. Messages to
 * and from a scheduler are small enough for it.
 */
const SCHEDULER_SILENCE_MS_MAX = 6_000

/** Makes a channel to the schedulers; one that freezes is left for another within seconds. */
export function createSchedulerChannel(
  address: string,
  options: Pick<ChannelOptions, 'tls'> = {},
): Channel {
  return createChannel(address, {
    ...options,
    service: 'the scheduler',
    variable: 'OFFSTAGE_SCHEDULER',
    silenceMsMax: SCHEDULER_SILENCE_MS_MAX,
  })
}
