/**
 * What it costs to be sure of callers: no-op jobs with tokens and TLS beside the same in development mode, in turns of one
 * run. Absolute figures depend on the machine; the ratios are what counts.
 */
import { Offstage } from '@offstage/sdk'
import { createAuthority, createPemFolder, startTestIssuer } from '@offstage/testkit'
import { noop } from '../hot-path/jobs.ts'
import { median, rate, startBatch } from '../hot-path/rate.ts'
import { startStack } from '../hot-path/stack.ts'

const ROUNDS = 8
const SECONDS = Number(process.env.BENCH_SECONDS ?? 2)

await using issuer = await startTestIssuer()
await using folder = await createPemFolder()
const authority = await createAuthority()
const { ca, cert, key } = await folder.write({ ca: authority.cert, ...(await authority.issue()) })
const ofExecutor = { user: 'executor', roles: ['executor'], endsInS: 3_600 }

await using open = await startStack()
await using guarded = await startStack({
  OFFSTAGE_IDENTITY: await issuer.identityFile(),
  OFFSTAGE_TOKEN: await issuer.sign(ofExecutor),
  OFFSTAGE_TLS_SERVER_CERT: cert,
  OFFSTAGE_TLS_SERVER_KEY: key,
  OFFSTAGE_TLS_CA: ca,
})
await using plain = await Offstage.connect({ scheduler: open.scheduler })
await using sure = await Offstage.connect({
  scheduler: guarded.scheduler,
  tls: { ca },
  token: () => issuer.sign({ user: 'ann', roles: ['user'] }),
})

const runOne = (offstage: Offstage) => async () => {
  await offstage.run(noop)
  return 1
}
/** Rates without and with. */
const batches: [number, number][] = []
const ones: [number, number][] = []
for (const offstage of [plain, sure]) await startBatch(offstage)
for (let round = 0; round < ROUNDS; round++) {
  batches.push([
    await rate(SECONDS, 8, () => startBatch(plain)),
    await rate(SECONDS, 8, () => startBatch(sure)),
  ])
  ones.push([await rate(SECONDS, 100, runOne(plain)), await rate(SECONDS, 100, runOne(sure))])
}

const row = (pairs: readonly [number, number][], goal: number) => ({
  without: `${Math.round(median(pairs.map(([without]) => without))).toLocaleString('en')}/s`,
  with: `${Math.round(median(pairs.map(([, guardedRate]) => guardedRate))).toLocaleString('en')}/s`,
  ratio: `${median(pairs.map(([without, guardedRate]) => guardedRate / without)).toFixed(2)} (goal ${goal})`,
})
console.table({
  'batches of 500, 8 in flight': row(batches, 0.95),
  'one by one, 100 callers': row(ones, 0.85),
})
