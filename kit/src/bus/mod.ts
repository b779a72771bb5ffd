export type { Bus, BusMessage, BusStats, BusStatus, Subscription } from './bus.ts'
export { createInProcessBus, type InProcessBusOptions } from './in-process-bus.ts'
export { connectNats, type NatsBusOptions } from './nats-bus.ts'
export { NatsVersionError } from './nats-connection.ts'
