import type { AttemptOrder } from '../domain/attempt.ts'
import type { Claim } from './claims.ts'

/** An order as it is copied to the handler's thread, with the claim to it. */
export type OrderRow = readonly [
  claim: Claim,
  key: AttemptOrder['key'],
  jobId: AttemptOrder['jobId'],
  attempt: AttemptOrder['attempt'],
  method: AttemptOrder['method'],
  lane: AttemptOrder['lane'],
  namespace: AttemptOrder['namespace'],
  owner: AttemptOrder['owner'],
  params: AttemptOrder['params'],
  traceparent: AttemptOrder['traceparent'],
  tracestate: AttemptOrder['tracestate'],
  token: AttemptOrder['token'],
  scope: AttemptOrder['scope'],
  jobKey: AttemptOrder['jobKey'],
  labels: AttemptOrder['labels'],
  resultAddress: AttemptOrder['resultAddress'],
  wantAdditionalResult: AttemptOrder['wantAdditionalResult'],
  additionalResultAddress: AttemptOrder['additionalResultAddress'],
  deadlineMs: AttemptOrder['deadlineMs'],
  totalMs: AttemptOrder['totalMs'],
  heartbeatMs: AttemptOrder['heartbeatMs'],
  lastHeartbeat: AttemptOrder['lastHeartbeat'],
  paramsType: AttemptOrder['paramsType'],
  lastHeartbeatType: AttemptOrder['lastHeartbeatType'],
]

export function rowFromOrder(order: AttemptOrder, claim: Claim): OrderRow {
  return [
    claim,
    order.key,
    order.jobId,
    order.attempt,
    order.method,
    order.lane,
    order.namespace,
    order.owner,
    order.params,
    order.traceparent,
    order.tracestate,
    order.token,
    order.scope,
    order.jobKey,
    order.labels,
    order.resultAddress,
    order.wantAdditionalResult,
    order.additionalResultAddress,
    order.deadlineMs,
    order.totalMs,
    order.heartbeatMs,
    order.lastHeartbeat,
    order.paramsType,
    order.lastHeartbeatType,
  ]
}

/** Every field has its place in a row, or this does not compile. */
export function orderFromRow(row: OrderRow): Record<keyof AttemptOrder, unknown> & AttemptOrder {
  return {
    key: row[1],
    jobId: row[2],
    attempt: row[3],
    method: row[4],
    lane: row[5],
    namespace: row[6],
    owner: row[7],
    params: row[8],
    traceparent: row[9],
    tracestate: row[10],
    token: row[11],
    scope: row[12],
    jobKey: row[13],
    labels: row[14],
    resultAddress: row[15],
    wantAdditionalResult: row[16],
    additionalResultAddress: row[17],
    deadlineMs: row[18],
    totalMs: row[19],
    heartbeatMs: row[20],
    lastHeartbeat: row[21],
    paramsType: row[22],
    lastHeartbeatType: row[23],
  }
}
