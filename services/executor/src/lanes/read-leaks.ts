import { textFault } from '@offstage/proto/field-rules'
import { LEAK_KINDS } from '@offstage/proto/leak-kinds'
import { LIMITS } from '@offstage/proto/limits'
import type { LeakFigures } from '../domain/leaks.ts'

type Fields = Readonly<Record<string, unknown>>

/** Whether a thread says what it has seen of leaks, as the scheduler takes it: else nobody's figures would be heard. */
export function isLeaks(figures: unknown): figures is LeakFigures[] {
  return Array.isArray(figures) && figures.length <= LIMITS.leakNamesMax && figures.every(isFigures)
}

function isFigures(figures: unknown): boolean {
  if (!isObject(figures)) return false
  const { name, runs, leaks } = figures
  if (!isTextUpTo(name, LIMITS.leakNameCharactersMax) || !isCount(runs)) return false
  return Array.isArray(leaks) && leaks.length <= LIMITS.leakPlacesMax && leaks.every(isFigure)
}

function isFigure(figure: unknown): boolean {
  if (!isObject(figure)) return false
  const { kind, openedAt, runs, left, open, bytesPerRun = 0 } = figure
  return (
    LEAK_KINDS.some((known) => known === kind) &&
    isTextUpTo(openedAt, LIMITS.leakPlaceCharactersMax) &&
    [runs, left, open, bytesPerRun].every(isCount)
  )
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

function isTextUpTo(value: unknown, charactersMax: number): boolean {
  return typeof value === 'string' && textFault(value, charactersMax) === undefined
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
