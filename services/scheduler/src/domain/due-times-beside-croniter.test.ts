/** Ten years of due times, beside those of Python's croniter: where the two differ is listed, and why. */
import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonWith } from '@offstage/testkit'
import { expect, test } from 'vitest'
import { nextDue, timing } from '../testing/timing.ts'

/** Inside the workspace; ignored by git. */
const SCRATCH = fileURLToPath(new URL('../../../../.offstage', import.meta.url))
const FROM = Date.parse('2026-01-01T00:00:00Z')
const TO = Date.parse('2036-01-01T00:00:00Z')
const SPAN = { timeout: 240_000 }

const SCRIPT = `
import json, sys
from datetime import datetime
from zoneinfo import ZoneInfo
from croniter import croniter

asked = json.load(sys.stdin)
answers = []
for zone, cron in asked["pairs"]:
    start = datetime.fromtimestamp(asked["from"] / 1000, ZoneInfo(zone))
    times = croniter(cron, start, second_at_beginning=True)
    found = []
    while (time := times.get_next(float) * 1000) < asked["to"]:
        found.append(int(time))
    answers.append(found)
json.dump(answers, sys.stdout)
`

/** When clocks are changed, and some time before and after. */
const CHANGES = '* 3,4,10,11 SUN'
const CRONS = [
  `30 2 ${CHANGES}`,
  `0 2 ${CHANGES}`,
  `45 1 ${CHANGES}`,
  `30 1,2,3 ${CHANGES}`,
  `0 0 2-4 ${CHANGES}`,
  `*/30 2 ${CHANGES}`,
  `*/20 0-3 ${CHANGES}`,
  '30 6 * 4 1-5',
  '0 0 31 * *',
  '0 12 29 2 *',
]
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe']

/**
 * Each once a year, on the day the clocks are changed:
 *  - `twice`: the hour occurs twice, and croniter makes a time that is written out due both times. Here it is due the first time.
 *  - `gap`: the hour does not occur, and croniter makes the steps within it due at its end. Here steps are passed over.
 *  - `missed`: half an hour occurs twice, and croniter leaves a step of the second out. Here it is due.
 */
const DIFFERENCES = {
  [`Europe/Berlin: 30 2 ${CHANGES}`]: '10 × twice',
  [`Europe/Berlin: 0 2 ${CHANGES}`]: '10 × twice',
  [`Europe/Berlin: 30 1,2,3 ${CHANGES}`]: '10 × twice',
  [`Europe/Berlin: 0 0 2-4 ${CHANGES}`]: '10 × twice',
  [`Europe/Berlin: */30 2 ${CHANGES}`]: '10 × gap',
  [`America/New_York: 45 1 ${CHANGES}`]: '10 × twice',
  [`America/New_York: 30 1,2,3 ${CHANGES}`]: '10 × twice',
  [`America/New_York: */30 2 ${CHANGES}`]: '10 × gap',
  [`Australia/Lord_Howe: 45 1 ${CHANGES}`]: '10 × twice',
  [`Australia/Lord_Howe: 30 1,2,3 ${CHANGES}`]: '10 × twice',
  [`Australia/Lord_Howe: */20 0-3 ${CHANGES}`]: '10 × gap, 10 × missed',
}

test(
  'ten years of due times are those of croniter in three zones, but for what is listed',
  SPAN,
  async () => {
    await mkdir(SCRATCH, { recursive: true })
    const python = await pythonWith('croniter==7.0.0', join(SCRATCH, 'python-with-croniter'))
    if (python === undefined) return
    const pairs = ZONES.flatMap((zone) => CRONS.map((cron) => [zone, cron] as const))
    const theirs = await croniterTimes(python, pairs)
    const found: Record<string, string> = {}
    for (const [place, [zone, cron]] of pairs.entries()) {
      const difference = differenceOf(timesOf(zone, cron), theirs[place] ?? [], zone)
      if (difference !== undefined) found[`${zone}: ${cron}`] = difference
    }
    expect(found).toEqual(DIFFERENCES)
  },
)

async function croniterTimes(
  python: string,
  pairs: readonly (readonly [string, string])[],
): Promise<number[][]> {
  const options = { maxBuffer: 2 ** 28, timeout: 200_000 }
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = execFile(python, ['-c', SCRIPT], options, (error, stdout) =>
    error === null ? resolve(stdout) : reject(error),
  )
  child.stdin?.end(JSON.stringify({ pairs, from: FROM, to: TO }))
  return JSON.parse(await promise)
}

function timesOf(timeZone: string, cron: string): number[] {
  const next = nextDue(timing({ crons: [cron], timeZone }))
  const times: number[] = []
  for (let time = next(new Date(FROM)); time && time.getTime() < TO; time = next(time)) {
    times.push(time.getTime())
  }
  return times
}

function differenceOf(ours: readonly number[], theirs: readonly number[], zone: string) {
  const here = new Set(ours)
  const there = new Set(theirs)
  const kinds = [
    ...ours.filter((time) => !there.has(time)).map((time) => kindOf(time, true, zone)),
    ...theirs.filter((time) => !here.has(time)).map((time) => kindOf(time, false, zone)),
  ]
  const counted = [...new Set(kinds)].sort().map((kind) => {
    return `${kinds.filter((each) => each === kind).length} × ${kind}`
  })
  return counted.length === 0 ? undefined : counted.join(', ')
}

function kindOf(time: number, isOurs: boolean, zone: string): string {
  const lately = offsetsAround(time, 3_600_000, zone)
  if (lately.now < lately.before) return isOurs ? 'missed' : 'twice'
  const { before, now } = offsetsAround(time, 1, zone)
  return !isOurs && now > before ? 'gap' : `unexplained, such as ${new Date(time).toISOString()}`
}

/** From UTC in milliseconds, at a time and some before. */
function offsetsAround(time: number, ms: number, timeZone: string) {
  const offsetAt = (at: number) => {
    const local = new Date(at).toLocaleString('sv', { timeZone })
    return Date.parse(`${local.replace(' ', 'T')}Z`) - Math.floor(at / 1_000) * 1_000
  }
  return { before: offsetAt(time - ms), now: offsetAt(time) }
}
