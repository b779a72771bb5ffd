/** All of them, in their order: the first make what the others use. */
import type { Scenario } from '../verdicts.ts'
import { apply } from './apply.ts'
import { flightReport, nextImage, python, strangers } from './callers.ts'
import { drain, killExecutor, killScheduler, killStorage, liveness } from './deaths.ts'
import { network } from './network.ts'
import { noDatabase, restartPostgres, stopNats, volume } from './outages.ts'
import { probes } from './probes.ts'
import { scaling } from './scaling.ts'
import { quiet, rollback, rollExecutor, rollScheduler, rollStorage, wrongImage } from './updates.ts'

export const SCENARIOS: readonly Scenario[] = [
  apply,
  flightReport,
  nextImage,
  python,
  strangers,
  network,
  quiet,
  rollScheduler,
  rollStorage,
  rollExecutor,
  wrongImage,
  rollback,
  killExecutor,
  killScheduler,
  killStorage,
  liveness,
  drain,
  volume,
  noDatabase,
  restartPostgres,
  stopNats,
  scaling,
  probes,
]
