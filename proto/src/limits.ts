/**
 * The limits the comments of the proto files promise, in one table: the services enforce them at the edge, the SDK before
 * any call, and `limits.test.ts` compares them with the comments. Characters are Unicode code points.
 */

const KIB = 1024
const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS
const DAY_MS = 24 * HOUR_MS

export const LIMITS = {
  // Names
  namespaceCharactersMax: 63,
  methodCharactersMax: 200,
  displayNameCharactersMax: 200,
  /** As many as a `sub` of OpenID Connect has. */
  ownerCharactersMax: 255,
  keyCharactersMax: 200,
  requestIdCharactersMax: 100,
  contentTypeCharactersMax: 100,
  /** W3C Trace Context: 55 characters today, longer in versions to come. */
  traceparentCharactersMax: 100,
  /** What W3C Trace Context wants to be passed on at least. */
  tracestateCharactersMax: 512,
  poolCharactersMax: 63,
  versionCharactersMax: 100,
  labelsMax: 32,
  labelKeyCharactersMax: 63,
  labelValueCharactersMax: 255,

  // Jobs
  /** Parameters, a result, an additional result; larger ones go through temp storage. */
  inlineBytesMax: 64 * KIB,
  /** Parameters, by way of temp storage (row J3). */
  paramsBytesMax: 1024 * 1024 * KIB,
  /** -1000 to 1000. */
  priorityMax: 1000,
  maxAttemptsMax: 1000,
  backoffMultiplierMax: 100,
  /** Ten years: far within what an interval, a timestamp and a number hold. */
  durationMsMax: 10 * 366 * DAY_MS,
  /** Timers of executors run no longer than 2^31 ms. */
  attemptDeadlineMsMax: 24 * DAY_MS,
  /** Handlers are heard a few times a second. */
  heartbeatDeadlineMsMin: SECOND_MS,
  inlineWaitMsMax: 60 * SECOND_MS,
  waitMsMax: 60 * SECOND_MS,
  graceMsMax: HOUR_MS,
  cancelReasonCharactersMax: 1000,
  /** Jobs of one StartJobs, ids of one WaitJobs. */
  batchMax: 1000,
  watchedMax: 10_000,
  filterValuesMax: 100,
  filterTextCharactersMax: 10_000,
  pageSizeMax: 1000,
  /** Counts in one answer. */
  countsMax: 10_000,

  // Refreshes of reusable values
  /** Of one call. */
  refreshScopesMax: 100,
  reusableNameCharactersMax: 200,
  /** As canonical text; those of longer ones are refreshed by their function. */
  refreshParamsCharactersMax: 1000,
  valueTagCharactersMax: 200,

  // Leak tracking
  /** Of a method, or of a section of a service. */
  leakNameCharactersMax: 200,
  /** Of one call, and of a namespace at once. */
  leakNamesMax: 100,
  leakTrackingMsMin: SECOND_MS,
  leakTrackingMsMax: DAY_MS,
  /** Of one name that are told. */
  leakPlacesMax: 20,
  leakPlaceCharactersMax: 2000,
  leakReporterCharactersMax: 200,
  leakTrackingIdCharactersMax: 100,

  // Schedules
  /** Of a namespace; those declared in code and removed since count for themselves. */
  schedulesMax: 100_000,
  /** Of one executor. */
  declaredSchedulesMax: 1_000,
  scheduleIdCharactersMax: 200,
  /** Expressions of a schedule, and exclusions. */
  cronsMax: 20,
  cronCharactersMax: 200,
  scheduleIntervalMsMin: SECOND_MS,
  jitterMsMax: DAY_MS,

  // Data locks
  lockNameCharactersMax: 200,
  /** Of one AcquireLock or ReleaseLock. */
  lockNamesMax: 100,
  lockWaitMsMax: 60 * SECOND_MS,

  // What executors say of a job
  briefCharactersMax: 1000,
  detailBytesMax: 32 * KIB,
  reasonCharactersMax: 200,
  progressTextCharactersMax: 1000,
  messageTextCharactersMax: 4000,
  /** As JSON. */
  extraBytesMax: 16 * KIB,
  /**
   * Levels of objects and lists; the `extra` itself is the first. Readers of protobuf give up at a hundred messages one
   * inside the other, and a Struct takes three for each level of objects: so many every reader can take, wherever in an
   * answer they stand.
   */
  extraDepthMax: 32,

  // What is set for methods
  methodLimitsMax: 1_000,
  keyExpressionCharactersMax: 1_000,
  limitKeyCharactersMax: 255,

  // What executors say of themselves
  executorNameCharactersMax: 200,
  softwareCharactersMax: 200,
  methodsMax: 10_000,
  poolsMax: 100,
  /** That a session may ask for. */
  sessionLeaseMsMax: HOUR_MS,
  descriptionCharactersMax: 1000,
  schemaBytesMax: 64 * KIB,
  /** Users, or patterns of users, that may start a method. */
  startersMax: 100,
  laneSlotsMax: 100_000,

  // Leases of callers
  leaseMsMin: 5 * SECOND_MS,
  leaseMsMax: DAY_MS,
  /** In all namespaces. */
  ownerLeasesMax: 1_000,

  // Temp storage
  putChunkBytesMax: 1024 * KIB,
  readChunkBytesMax: 256 * KIB,
  timeToLiveMsMax: 30 * DAY_MS,
  scopeLeaseMsMin: 5 * SECOND_MS,
  scopeLeaseMsMax: DAY_MS,
} as const
