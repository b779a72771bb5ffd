/** Where in the code something was made: taken when it is, read when it is left behind. */
import { isOwnFrame, withoutOwnFrames } from '../jobs/own-frames.ts'
import { quietly } from './quietly.ts'

const { captureStackTrace } = Error
/** Frames to look through: a `fetch` has 30 of its own. */
const FRAMES_LOOKED_AT = 60
const FRAMES_TOLD = 10

/** A stack that is text only once it is asked for. */
export interface Made {
  readonly stack?: string
}

/** @param until the frames from here inwards are left out */
export function made(until: (...args: never[]) => unknown): Made {
  const holder: Made = {}
  const { stackTraceLimit } = Error
  // Where errors are frozen there are fewer frames.
  Reflect.set(Error, 'stackTraceLimit', FRAMES_LOOKED_AT)
  captureStackTrace(holder, until)
  Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  return holder
}

export interface Place {
  /** Frames of the caller's code, innermost first. */
  readonly frames: string
  /** Those up to the first that is of no package: whoever called that, it is the same place. */
  readonly key: string
  /** Whether a module of Node itself has made it, for something else that is tracked or that it looks after. */
  readonly isNodes: boolean
  /** Whether it was made for a child process, or by a client of HTTP, which keeps it for whatever is asked next. */
  readonly isKeptByNode: boolean
}

/** By which code makes timers and adds listeners: whoever called them has. */
const WAYS =
  /\(node:(internal\/async_hooks|internal\/timers|timers|timers\/promises|events|internal\/event_target):|new Promise \(<anonymous>\)/
const OF_NODE = /[( ]node:/
const KEPT =
  /[( ]node:(internal\/child_process|_http_agent|_http_client|internal\/deps\/undici\/undici):|\/node_modules\/undici\//
const OF_PACKAGE = '/node_modules/'

/** Undefined where it is of Offstage's own making, or of nobody's code. */
export function placeOf(at: Made, own: readonly string[]): Place | undefined {
  // Somebody else may have put something else there, or throw (Error.prepareStackTrace).
  const stack = quietly(() => at.stack, undefined)
  if (typeof stack !== 'string') return undefined
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  const first = frames.find(
    (line) => !isNodes(line) && (isOwnFrame(line, own) || !line.includes(OF_PACKAGE)),
  )
  if (first !== undefined && isOwnFrame(first, own)) return undefined
  const caller = frames.find((line) => !WAYS.test(line))
  const known = frames.filter((line) => !isNodes(line))
  const shown = withoutOwnFrames(known.slice(0, FRAMES_TOLD).join('\n'), own)
  // What gRPC makes by itself, later, is the SDK's.
  if (shown === '') return undefined
  return {
    key: known.slice(0, first === undefined ? FRAMES_TOLD : known.indexOf(first) + 1).join('\n'),
    frames: shown,
    isNodes: caller !== undefined && OF_NODE.test(caller),
    isKeptByNode: frames.some((line) => KEPT.test(line)),
  }
}

function isNodes(line: string): boolean {
  return OF_NODE.test(line) || line.includes('<anonymous>')
}
