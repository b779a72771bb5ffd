import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LIMITS } from './limits.ts'

const FILES = [
  'jobs/v1/job.proto',
  'jobs/v1/job_service.proto',
  'jobs/v1/schedule_service.proto',
  'executor/v1/executor_service.proto',
  'storage/v1/storage_service.proto',
]

/** The comment of each field, in one line, by `Message.field`. */
function commentsOf(file: string): [field: string, comment: string][] {
  const text = readFileSync(new URL(`../offstage/${file}`, import.meta.url), 'utf8')
  const found: [string, string][] = []
  let message = ''
  let comment: string[] = []
  for (const line of text.split('\n')) {
    const said = /^\s*\/\/ ?(.*)$/.exec(line)?.[1]
    if (said !== undefined) {
      comment.push(said)
      continue
    }
    message = /^message (\w+)/.exec(line)?.[1] ?? message
    const field = /^\s+[\w .<>,]+ (\w+) = \d+(?: \[.*\])?;/.exec(line)?.[1]
    if (field !== undefined) found.push([`${message}.${field}`, comment.join(' ')])
    comment = []
  }
  return found
}

const number = (value: number) => value.toLocaleString('en-US')
const characters = (max: number) => [`t most ${number(max)} characters`]
const labels = [
  `t most ${LIMITS.labelsMax}`,
  `keys to ${LIMITS.labelKeyCharactersMax} and values to ${LIMITS.labelValueCharactersMax} characters`,
]
const kib = (bytes: number) => [`t most ${bytes / 1024} KiB`]
const mib = (bytes: number) => [`t most ${bytes / 1024 ** 2} MiB`]
const years = `${LIMITS.durationMsMax / (366 * 86_400_000)} years`
const days = (ms: number) => [`t most ${ms / 86_400_000} days`]
const seconds = (ms: number) => [`0 to ${ms / 1000} s`]
const extra = [
  `t most ${LIMITS.extraBytesMax / 1024} KiB as JSON and ${LIMITS.extraDepthMax} levels of objects and lists`,
]
const pages = [`1 to ${number(LIMITS.pageSizeMax)}`]

/** What the comment of each limited field says. */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  'Hello.schedules': [`t most ${number(LIMITS.declaredSchedulesMax)}`],
  'StartableBy.users': [
    `t most ${LIMITS.startersMax} entries of ${LIMITS.ownerCharactersMax} characters`,
  ],
  'Payload.inline': kib(LIMITS.inlineBytesMax),
  'Payload.content_type': characters(LIMITS.contentTypeCharactersMax),
  'RetryPolicy.max_attempts': [`1 to ${LIMITS.maxAttemptsMax}`],
  'RetryPolicy.initial_backoff': [`0 to ${years}`],
  'RetryPolicy.backoff_multiplier': [`1 to ${LIMITS.backoffMultiplierMax}`],
  'RetryPolicy.max_backoff': [`to ${years}`],
  'RetryPolicy.jitter': ['0 to 1'],
  'FindNeededValuesRequest.addresses': [`t most ${number(LIMITS.batchMax)}`],
  'ExplainJobResponse.executors': ['t most 10'],
  'ListDiscardedValuesRequest.done': [`t most ${number(LIMITS.batchMax)}`],
  'ListDiscardedValuesRequest.page_size': pages,
  'Deadlines.queue': [`t most ${years}`],
  'Deadlines.attempt': days(LIMITS.attemptDeadlineMsMax),
  'Deadlines.total': [`t most ${years}`],
  'Deadlines.heartbeat': [
    `${LIMITS.heartbeatDeadlineMsMin / 1000} s to ${LIMITS.attemptDeadlineMsMax / 86_400_000} days`,
  ],
  'ExplainJobResponse.holders': ['t most 10'],
  'AttemptResult.canceled': characters(LIMITS.briefCharactersMax),
  'JobError.brief': characters(LIMITS.briefCharactersMax),
  'JobError.detail': kib(LIMITS.detailBytesMax),
  'JobError.reason': characters(LIMITS.reasonCharactersMax),
  'Completion.result': kib(LIMITS.inlineBytesMax),
  'Progress.percent': ['0 to 100'],
  'Progress.text': characters(LIMITS.progressTextCharactersMax),
  'Progress.extra': extra,
  'JobMessage.text': characters(LIMITS.messageTextCharactersMax),
  'JobMessage.extra': extra,
  'JobSpec.method': characters(LIMITS.methodCharactersMax),
  'JobSpec.key': characters(LIMITS.keyCharactersMax),
  'JobSpec.request_id': characters(LIMITS.requestIdCharactersMax),
  'JobSpec.delay': [`0 to ${years}`],
  'JobSpec.priority': [`-${LIMITS.priorityMax} to ${LIMITS.priorityMax}`],
  'JobSpec.labels': labels,
  'JobSpec.display_name': characters(LIMITS.displayNameCharactersMax),
  'JobSpec.traceparent': characters(LIMITS.traceparentCharactersMax),
  'JobSpec.tracestate': characters(LIMITS.tracestateCharactersMax),
  'JobSpec.required_version': characters(LIMITS.versionCharactersMax),
  'JobSpec.pool': characters(LIMITS.poolCharactersMax),
  'DrainedBy.user': characters(LIMITS.ownerCharactersMax),
  'ListActsRequest.user': characters(LIMITS.ownerCharactersMax),
  'ListActsRequest.page_size': pages,
  'StartJobRequest.namespace': characters(LIMITS.namespaceCharactersMax),
  'StartJobRequest.inline_wait': seconds(LIMITS.inlineWaitMsMax),
  'StartJobsRequest.jobs': [`1 to ${number(LIMITS.batchMax)}`],
  'StartJobsRequest.inline_wait': seconds(LIMITS.inlineWaitMsMax),
  'JobFilter.states': [`t most ${LIMITS.filterValuesMax}`],
  'JobFilter.owner': characters(LIMITS.ownerCharactersMax),
  'JobFilter.text': [`t most ${number(LIMITS.filterTextCharactersMax)}`],
  'ListJobsRequest.page_size': pages,
  'WaitJobsRequest.job_ids': [`1 to ${number(LIMITS.batchMax)}`],
  'WaitJobsRequest.timeout': seconds(LIMITS.waitMsMax),
  'WatchJobsRequest.add': [`t most ${number(LIMITS.watchedMax)}`],
  'CancelJobRequest.reason': characters(LIMITS.cancelReasonCharactersMax),
  'CancelJobRequest.grace': [`0 to ${LIMITS.graceMsMax / 3_600_000} h`],
  'CancelJobsRequest.reason': characters(LIMITS.cancelReasonCharactersMax),
  'CancelJobsRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'CancelJobsRequest.inline_wait': seconds(LIMITS.inlineWaitMsMax),
  'RetryJobsRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'RetryJobsRequest.inline_wait': seconds(LIMITS.inlineWaitMsMax),
  'DeleteJobsRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'DeleteJobsRequest.inline_wait': seconds(LIMITS.inlineWaitMsMax),
  'ListJobMessagesRequest.page_size': pages,
  'RetryJobRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'Schedule.schedule_id': characters(LIMITS.scheduleIdCharactersMax),
  'Schedule.cron': characters(LIMITS.cronCharactersMax),
  'Schedule.interval': [`${LIMITS.scheduleIntervalMsMin / 1000} s to ${years}`],
  'Schedule.jitter': [`0 to ${LIMITS.jitterMsMax / 86_400_000} day`],
  'Schedule.catch_up_window': [`0 to ${years}`],
  'Schedule.crons': [`t most ${LIMITS.cronsMax}`],
  'Schedule.excluded_crons': [`t most ${LIMITS.cronsMax}`],
  'Schedule.catch_up_limit': [`1 to ${number(LIMITS.batchMax)}`],
  'Schedule.pause_after_failures': [`1 to ${number(LIMITS.batchMax)}`],
  'CreateScheduleRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'ListSchedulesRequest.page_size': pages,
  'PauseScheduleRequest.reason': characters(LIMITS.cancelReasonCharactersMax),
  'TriggerScheduleRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'BackfillScheduleRequest.end_time': [`t most ${number(LIMITS.batchMax)} due times`],
  'ListNextRunsRequest.page_size': pages,
  'FollowJobsRequest.targets': [`1 to ${number(LIMITS.batchMax)}`],
  'CountJobsResponse.counts': [`t most ${number(LIMITS.countsMax)}`],
  'Hello.name': characters(LIMITS.executorNameCharactersMax),
  'Hello.methods': [`1 to ${number(LIMITS.methodsMax)}`],
  'Hello.labels': labels,
  'Hello.software': characters(LIMITS.softwareCharactersMax),
  'Hello.lease': [`t most ${LIMITS.sessionLeaseMsMax / 3_600_000} hour`],
  'Hello.pools': [`t most ${LIMITS.poolsMax}`],
  'ProgressReport.heartbeat_data': kib(LIMITS.inlineBytesMax),
  'MethodDefinition.description': characters(LIMITS.descriptionCharactersMax),
  'MethodDefinition.version': characters(LIMITS.versionCharactersMax),
  'MethodDefinition.params_schema': kib(LIMITS.schemaBytesMax),
  'MethodDefinition.result_schema': kib(LIMITS.schemaBytesMax),
  'MethodDefinition.label_expressions': [`t most ${LIMITS.labelsMax}`],
  'LaneSlots.slots': [`1 to ${number(LIMITS.laneSlotsMax)}`],
  'MessageReport.extra': extra,
  'PutValueHeader.content_type': characters(LIMITS.contentTypeCharactersMax),
  'PutValueHeader.time_to_live': days(LIMITS.timeToLiveMsMax),
  'PutValueHeader.owner': characters(LIMITS.ownerCharactersMax),
  'PutValueHeader.request_id': characters(LIMITS.requestIdCharactersMax),
  'PutValueRequest.chunk': mib(LIMITS.putChunkBytesMax),
  'GetValueResponse.chunk': kib(LIMITS.readChunkBytesMax),
  'ReadAndDeleteValueResponse.chunk': kib(LIMITS.readChunkBytesMax),
  'ReserveAddressRequest.time_to_live': days(LIMITS.timeToLiveMsMax),
  'ReserveAddressRequest.request_id': characters(LIMITS.requestIdCharactersMax),
  'ListValuesRequest.page_size': pages,
  'OpenScopeRequest.lease': [
    `${LIMITS.scopeLeaseMsMin / 1000} s to ${LIMITS.scopeLeaseMsMax / 86_400_000} day`,
  ],
  'OpenScopeRequest.display_name': characters(LIMITS.displayNameCharactersMax),
  'OpenScopeRequest.request_id': characters(LIMITS.requestIdCharactersMax),
}

const comments = FILES.flatMap(commentsOf)
const LIMITED = /\bat most [\d-]|-?\d[\d,]*( s)? to -?\d|\bfrom `?\w+`? to \d/i

test('the comments of the proto files say what the table says', () => {
  expect(comments.length).toBeGreaterThan(200)
  for (const [field, claims] of Object.entries(CLAIMS)) {
    const comment = comments.find(([name]) => name === field)?.[1]
    for (const claim of claims) expect(`${field}: ${comment}`).toContain(claim)
  }
})

test('every limit a comment tells of is in the table', () => {
  const limited = comments.filter(([, comment]) => LIMITED.test(comment)).map(([field]) => field)
  expect(limited.filter((field) => CLAIMS[field] === undefined)).toEqual([])
  expect(limited.toSorted()).toEqual(Object.keys(CLAIMS).toSorted())
})
