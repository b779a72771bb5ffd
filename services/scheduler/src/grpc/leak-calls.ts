/** Looking for leaks (row E4). */
import { type GuardedService, unary } from '@offstage/kit/grpc'
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { textFault } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { leakKindFrom } from '@offstage/proto/leak-kinds'
import { LIMITS } from '@offstage/proto/limits'
import type { Leak, LeakFigures, ReportedFigures, TrackedRuns } from '../domain/leaks.ts'
import type { Leaks } from '../namespaces/leaks.ts'
import { invalidField } from '../refusals.ts'
import { callerOf } from './caller.ts'
import { namespaceFor } from './mapping.ts'
import type { ReadingTurns } from './reading-turns.ts'

type LeakCalls = Pick<
  GuardedService<proto.NamespaceServiceServer>,
  'trackLeaks' | 'stopTrackingLeaks' | 'listLeaks' | 'reportLeaks'
>

const DURATION_MS_DEFAULT = 10 * 60_000

export function leakCalls(leaks: Leaks, turns: ReadingTurns): LeakCalls {
  return {
    trackLeaks: unary('namespaces.operate', async (request: proto.TrackLeaksRequest, context) => {
      const namespace = namespaceFor(context.actor, request.namespace)
      if (request.names.length === 0) throw invalidField('names', 'must not be empty')
      const names = namesFrom(request.names)
      await leaks.track(namespace, names, durationMsFrom(request.duration), callerOf(context))
      return {}
    }),

    stopTrackingLeaks: unary(
      'namespaces.operate',
      async (request: proto.StopTrackingLeaksRequest, context) => {
        const namespace = namespaceFor(context.actor, request.namespace)
        const names = request.names.length === 0 ? undefined : namesFrom(request.names)
        await leaks.stop(namespace, names, callerOf(context))
        return {}
      },
    ),

    listLeaks: unary(
      'executors.read',
      async (request: proto.ListLeaksRequest, { actor }) => {
        const { tracked, figures } = await leaks.list(namespaceFor(actor, request.namespace))
        return { tracking: tracked.map(trackingTo), figures: figures.map(figuresTo) }
      },
      turns.listings,
    ),

    reportLeaks: unary('leaks.report', async (request: proto.ReportLeaksRequest, { actor }) => {
      const namespace = namespaceFor(actor, request.namespace)
      const { reporter } = request
      if (reporter === '') throw invalidField('reporter', 'must not be empty')
      refuseText('reporter', reporter, LIMITS.leakReporterCharactersMax)
      const figures = figuresFrom(request.figures)
      return { tracking: (await leaks.report(namespace, reporter, figures)).map(trackingTo) }
    }),
  }
}

function durationMsFrom(duration: proto.TrackLeaksRequest['duration']): number {
  const ms = msFrom(duration) ?? DURATION_MS_DEFAULT
  if (ms >= LIMITS.leakTrackingMsMin && ms <= LIMITS.leakTrackingMsMax) return ms
  throw invalidField('duration', 'must be 1 s to 24 h')
}

function namesFrom(names: readonly string[]): string[] {
  if (names.length > LIMITS.leakNamesMax) {
    throw invalidField('names', `must be at most ${LIMITS.leakNamesMax}`)
  }
  for (const [index, name] of names.entries()) refuseName(`names[${index}]`, name)
  return [...new Set(names)]
}

function refuseName(field: string, name: string): void {
  if (name === '') throw invalidField(field, 'must not be empty')
  refuseText(field, name, LIMITS.leakNameCharactersMax)
}

function refuseText(field: string, text: string, charactersMax: number): void {
  const fault = textFault(text, charactersMax)
  if (fault !== undefined) throw invalidField(field, fault)
}

function figuresFrom(all: readonly proto.LeakFigures[]): ReportedFigures[] {
  if (all.length > LIMITS.leakNamesMax) {
    throw invalidField('figures', `must be at most ${LIMITS.leakNamesMax}`)
  }
  const names = new Set<string>()
  return all.map(({ name, runCount, leaks, trackingId }, index) => {
    const field = `figures[${index}]`
    refuseName(`${field}.name`, name)
    if (names.has(name)) throw invalidField(`${field}.name`, `is ${name} a second time`)
    names.add(name)
    refuseText(`${field}.tracking_id`, trackingId, LIMITS.leakTrackingIdCharactersMax)
    if (leaks.length > LIMITS.leakPlacesMax) {
      throw invalidField(`${field}.leaks`, `must be at most ${LIMITS.leakPlacesMax}`)
    }
    return {
      name,
      trackingId,
      runCount: countFrom(`${field}.run_count`, runCount),
      leaks: leaks.map((leak, at) => leakFrom(`${field}.leaks[${at}]`, leak)),
    }
  })
}

function leakFrom(field: string, leak: proto.Leak): Leak {
  if (leakKindFrom(leak.kind) === undefined) {
    throw invalidField(`${field}.kind`, `is ${leak.kind}, which is no kind of leak`)
  }
  refuseText(`${field}.opened_at`, leak.openedAt, LIMITS.leakPlaceCharactersMax)
  return {
    kind: leak.kind,
    openedAt: leak.openedAt,
    runCount: countFrom(`${field}.run_count`, leak.runCount),
    leftCount: countFrom(`${field}.left_count`, leak.leftCount),
    openCount: countFrom(`${field}.open_count`, leak.openCount),
    bytesPerRun: countFrom(`${field}.bytes_per_run`, leak.bytesPerRun),
  }
}

function countFrom(field: string, count: bigint): number {
  if (count >= 0n && count <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(count)
  throw invalidField(field, 'must be a count')
}

function trackingTo({ name, leftMs, trackingId }: TrackedRuns): proto.LeakTracking {
  return { name, timeLeft: durationFrom(Math.round(leftMs)), trackingId }
}

function figuresTo({ name, runCount, leaks }: LeakFigures): proto.LeakFigures {
  return {
    name,
    // They may be of several.
    trackingId: '',
    runCount: BigInt(runCount),
    leaks: leaks.map(({ kind, openedAt, ...counts }) => ({
      kind: kind as proto.LeakKind,
      openedAt,
      runCount: BigInt(counts.runCount),
      leftCount: BigInt(counts.leftCount),
      openCount: BigInt(counts.openCount),
      bytesPerRun: BigInt(counts.bytesPerRun),
    })),
  }
}
