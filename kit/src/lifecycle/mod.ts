export { composeServices } from './compose-services.ts'
export { createLoop, type Loop, type LoopOptions, LoopTimeoutError } from './loop.ts'
export { type RunMainOptions, runMain } from './run-main.ts'
export { createService, type Service, type ServiceSpec, ServiceStoppedError } from './service.ts'
