import type { BusMessage } from './bus.ts'

/** The default `max_payload` of nats-server; hints are far smaller. */
const PAYLOAD_BYTES_MAX = 1024 * 1024

/** What most hints carry, and have beside it. */
const NO_PAYLOAD = new Uint8Array()
export const NO_HEADERS: BusMessage['headers'] = Object.freeze({})

/** A message checked and owned: what the caller does to its arguments later changes nothing. */
export function createMessage(
  subject: string,
  payload: Uint8Array | string,
  headers = NO_HEADERS,
): BusMessage {
  checkSubject(subject)
  return { subject, payload: ownBytes(payload), headers: ownHeaders(headers) }
}

function ownBytes(payload: Uint8Array | string): Uint8Array {
  if (payload.length === 0) return NO_PAYLOAD
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : Uint8Array.from(payload)
  if (bytes.byteLength > PAYLOAD_BYTES_MAX) {
    throw new TypeError(`a payload of ${bytes.byteLength} bytes is over ${PAYLOAD_BYTES_MAX}`)
  }
  return bytes
}

/** Messages that follow each other have often the same, such as those of one call: they are checked once. */
let newest: BusMessage['headers'] = NO_HEADERS

function ownHeaders(headers: BusMessage['headers']): BusMessage['headers'] {
  if (headers === NO_HEADERS) return NO_HEADERS
  if (isSame(headers, newest)) return newest
  newest = checkedHeaders(headers)
  return newest
}

function isSame(some: BusMessage['headers'], others: BusMessage['headers']): boolean {
  let count = 0
  for (const name in others) {
    if (some[name] !== others[name]) return false
    count += 1
  }
  return count > 0 && Object.keys(some).length === count
}

function checkedHeaders(headers: BusMessage['headers']): BusMessage['headers'] {
  const checked: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!-9;-~]+$/.test(name)) throw new TypeError(`bad header name ${JSON.stringify(name)}`)
    if (/[\r\n]/.test(value)) throw new TypeError(`the header ${name} has a line break`)
    // NATS does not carry blanks around a value.
    checked[name] = value.trim()
  }
  return Object.keys(checked).length === 0 ? NO_HEADERS : Object.freeze(checked)
}

function checkSubject(subject: string): void {
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) {
    throw new TypeError(`bad subject ${JSON.stringify(subject)}`)
  }
}
