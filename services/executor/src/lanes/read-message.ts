/**
 * Reads what a handler thread said as one reads a stranger's message: handlers share the thread and
 * may reach its port. What cannot be read is left out, and the rest stands; nothing throws.
 */

import { LANE_NAMES } from '@offstage/proto/lanes'
import { LIMITS } from '@offstage/proto/limits'
import type {
  Culprit,
  Fault,
  GlobalsChange,
  HandlerEnd,
  HeartbeatData,
  LeftOpenNote,
  LoopBlock,
  MessageNote,
  ProgressNote,
  ResultValue,
} from '../domain/attempt.ts'
import type { MethodAnnouncement } from '../domain/method.ts'
import { isLeaks } from './read-leaks.ts'
import type { RefreshAsk, SuccessRow, ThreadMessage, ThreadReports } from './thread-messages.ts'

export interface ReadMessage {
  readonly message: ThreadMessage | undefined
  /** False when something had to be left out. */
  readonly isWhole: boolean
}

type Read = (entry: Fields) => Fields | undefined
type Fields = Readonly<Record<string, unknown>>

/** What the log takes of one attempt. */
export const LEFT_OPEN_MAX = 20
export const LOG_TEXT_CHARACTERS_MAX = 4_000

const UNREADABLE: ReadMessage = { message: undefined, isWhole: false }

export function readMessage(heard: unknown): ReadMessage {
  if (!isObject(heard)) return UNREADABLE
  switch (heard.kind) {
    case 'ready':
      return readReady(heard.methods, heard.schedules)
    case 'unusable':
      if (typeof heard.detail !== 'string') return UNREADABLE
      return { message: { kind: 'unusable', detail: heard.detail }, isWhole: true }
    case 'exiting':
      if (!isCulprit(heard.culprit)) return UNREADABLE
      return { message: { kind: 'exiting', culprit: heard.culprit }, isWhole: true }
    case 'changed':
      if (!isChange(heard.change)) return UNREADABLE
      return { message: { kind: 'changed', change: heard.change }, isWhole: true }
    case 'refreshed':
      return { message: { kind: 'refreshed' }, isWhole: true }
    case 'refresh':
      if (!isRefreshAsk(heard.ask)) return UNREADABLE
      return { message: { kind: 'refresh', ask: heard.ask }, isWhole: true }
    case 'blocked':
      if (!isBlock(heard.block)) return UNREADABLE
      return { message: { kind: 'blocked', block: heard.block }, isWhole: true }
    case 'leaks':
      return readFigures(heard.figures, heard.round)
    case 'reports':
      return isObject(heard.reports) ? readReports(heard.reports) : UNREADABLE
    default:
      return UNREADABLE
  }
}

function readReady(methods: unknown, schedules: unknown): ReadMessage {
  if (!Array.isArray(methods) || !methods.every(isAnnouncement)) return UNREADABLE
  if (!Array.isArray(schedules) || !schedules.every(isBytes)) return UNREADABLE
  return { message: { kind: 'ready', methods, schedules }, isWhole: true }
}

function readFigures(figures: unknown, round: unknown): ReadMessage {
  if (!isLeaks(figures) || !isCount(round)) return UNREADABLE
  return { message: { kind: 'leaks', figures, round }, isWhole: true }
}

function readReports(heard: Fields): ReadMessage {
  const reports: ThreadReports = {}
  let isWhole = true
  for (const name in READERS) {
    const entries = heard[name]
    if (entries === undefined) continue
    const readable = readList(entries, READERS[name as EntryList])
    if (readable !== entries) isWhole = false
    if (readable.length > 0) Object.assign(reports, { [name]: readable })
  }
  if (!readSuccesses(heard.successes, reports)) isWhole = false
  return { message: { kind: 'reports', reports }, isWhole }
}

/** False when there is a row that cannot be read: its attempt has ended all the same, where it names one. */
function readSuccesses(rows: unknown, reports: ThreadReports): boolean {
  if (rows === undefined) return true
  if (!Array.isArray(rows)) return false
  const readable: SuccessRow[] = rows.every(isSuccess) ? rows : rows.filter(isSuccess)
  if (readable.length > 0) reports.successes = readable
  if (readable === rows) return true
  const lost = rows.filter((row) => !isSuccess(row) && Array.isArray(row) && isText(row[0]))
  const ends = lost.map(([key]) => ({
    key,
    end: { kind: 'failed', fault: END_UNREADABLE } as const,
  }))
  if (ends.length > 0) reports.ends = [...(reports.ends ?? []), ...ends]
  return false
}

function isSuccess(row: unknown): row is SuccessRow {
  return Array.isArray(row) && isText(row[0]) && isOptional(row[1], isResult)
}

/** The list itself, where there is nothing to leave out of it. */
function readList(entries: unknown, read: Read): readonly unknown[] {
  if (!Array.isArray(entries)) return []
  return entries.every((entry) => readEntry(entry, read) === entry)
    ? entries
    : entries.map((entry) => readEntry(entry, read)).filter((entry) => entry !== undefined)
}

function readEntry(entry: unknown, read: Read): Fields | undefined {
  return isObject(entry) && isText(entry.key) ? read(entry) : undefined
}

type EntryList = Exclude<keyof ThreadReports, 'successes'>

/** What is readable of an entry that names its attempt. */
const READERS: Readonly<Record<EntryList, Read>> = {
  progress: (entry) => (isProgress(entry.note) ? entry : undefined),
  messages: (entry) => (isMessage(entry.note) ? entry : undefined),
  waiting: (entry) => (typeof entry.waiting === 'boolean' ? entry : undefined),
  heartbeats: (entry) => (isOptional(entry.data, isHeartbeat) ? entry : { key: entry.key }),
  tokens: (entry) => (typeof entry.privileged === 'boolean' ? entry : undefined),
  leftOpen: (entry) => (isLeftOpen(entry.notes) ? entry : undefined),
  // An attempt whose end cannot be read has ended all the same.
  ends: (entry) =>
    isEnd(entry.end) ? entry : { key: entry.key, end: { kind: 'failed', fault: END_UNREADABLE } },
}

const END_UNREADABLE: Fault = {
  brief: 'The handler ended, but its thread did not say how in a way that can be read.',
  detail: 'Something in the thread spoke in the place of its runner.',
  reason: 'EXECUTOR_THREAD_LOST',
  retryable: true,
}

function isEnd(end: unknown): end is HandlerEnd {
  if (!isObject(end)) return false
  switch (end.kind) {
    case 'succeeded':
      return isOptional(end.result, isResult) && isOptional(end.additional, isResult)
    case 'failed':
      return isFault(end.fault) && isOptional(end.additional, isResult)
    case 'stopped':
      return true
    default:
      return false
  }
}

function isResult(value: unknown): value is ResultValue {
  if (isText(value) || value instanceof Uint8Array) return true
  if (!isObject(value) || !isText(value.contentType)) return false
  return isText(value.address) || value.bytes instanceof Uint8Array
}

function isFault(fault: unknown): fault is Fault {
  if (!isObject(fault)) return false
  const { brief, detail, reason, retryable } = fault
  return isText(brief) && isText(detail) && isText(reason) && typeof retryable === 'boolean'
}

function isProgress(note: unknown): note is ProgressNote {
  if (!isObject(note)) return false
  const { percent, text, revision, extra } = note
  return isNumber(percent) && isText(text) && isCount(revision) && isOptional(extra, isObject)
}

const SEVERITIES: readonly unknown[] = ['info', 'warning', 'error']

function isMessage(note: unknown): note is MessageNote {
  if (!isObject(note)) return false
  const { number, severity, text, extra } = note
  return (
    isCount(number) && SEVERITIES.includes(severity) && isText(text) && isOptional(extra, isObject)
  )
}

function isHeartbeat(data: unknown): data is HeartbeatData {
  if (isText(data)) return Buffer.byteLength(data) <= LIMITS.inlineBytesMax
  if (!isObject(data) || !isText(data.contentType)) return false
  return data.bytes instanceof Uint8Array && data.bytes.byteLength <= LIMITS.inlineBytesMax
}

function isCulprit(culprit: unknown): culprit is Culprit {
  return isObject(culprit) && isText(culprit.key) && isText(culprit.method)
}

function isChange(change: unknown): change is GlobalsChange {
  return isObject(change) && isLogTexts(change.what) && isLogTexts(change.methods)
}

function isRefreshAsk(ask: unknown): ask is RefreshAsk {
  if (!isObject(ask) || !isCount(ask.id)) return false
  if (Number.isSafeInteger(ask.epoch)) return true
  if (!isObject(ask.scope)) return false
  const { kind, name, params, tag } = ask.scope
  switch (kind) {
    case 'all':
      return true
    case 'tag':
      return isText(tag)
    case 'function':
      return isText(name)
    default:
      return kind === 'params' && isText(name) && isText(params)
  }
}

function isBlock(block: unknown): block is LoopBlock {
  return isObject(block) && isCount(block.ms) && isLogTexts(block.methods)
}

function isLogTexts(texts: unknown): texts is string[] {
  return Array.isArray(texts) && texts.length <= LEFT_OPEN_MAX && texts.every(isLogText)
}

function isLeftOpen(notes: unknown): notes is LeftOpenNote[] {
  return (
    Array.isArray(notes) &&
    notes.length <= LEFT_OPEN_MAX &&
    notes.every(
      (note) =>
        isObject(note) &&
        isLogText(note.what) &&
        isLogText(note.openedAt) &&
        isOptional(note.problem, isLogText),
    )
  )
}

function isLogText(value: unknown): value is string {
  return isText(value) && value.length <= LOG_TEXT_CHARACTERS_MAX
}

function isAnnouncement(method: unknown): method is MethodAnnouncement {
  if (!isObject(method)) return false
  const { name, description, paramsSchema, resultSchema, lane, retry, deadlines } = method
  const { limits, labelExpressions, startableBy, privileged } = method
  const { childrenPolicy, foregroundOnly, version } = method
  return (
    [name, description, paramsSchema, resultSchema].every(isText) &&
    LANE_NAMES.some((known) => known === lane) &&
    isOptional(retry, isObject) &&
    isOptional(deadlines, isObject) &&
    isOptional(limits, isObjects) &&
    isOptional(labelExpressions, isTexts) &&
    isOptional(startableBy, isObject) &&
    isOptional(privileged, (value) => typeof value === 'boolean') &&
    isOptional(childrenPolicy, isText) &&
    isOptional(foregroundOnly, (value) => typeof value === 'boolean') &&
    isOptional(version, isText)
  )
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every(isText)
}

function isOptional<T>(value: unknown, is: (value: unknown) => value is T): value is T | undefined {
  return value === undefined || is(value)
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isObjects(value: unknown): value is Fields[] {
  return Array.isArray(value) && value.every(isObject)
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value < 2 ** 31
}
