/** Where the schedules that an executor declares become the domain's, and what came of them is told. */
import { type Actor, may } from '@offstage/kit/auth'
import { Refusal } from '@offstage/kit/grpc'
import type * as proto from '@offstage/proto/executor'
import { textFault } from '@offstage/proto/field-rules'
import { Schedule } from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import type { Declaration } from '../domain/declared-schedule.ts'
import { attachNotAllowed, invalidField, invalidFields } from '../refusals.ts'
import type { DeclarationOutcome } from '../schedules/declare.ts'
import { scheduleIdFrom, termsFrom } from './schedule-mapping.ts'

/** Throws where one cannot be read; whether its times and its job are right is told later, and keeps nobody from attaching. */
export function declarationsFrom(
  actor: Actor,
  namespace: string,
  { schedules, methods }: Pick<proto.Hello, 'schedules' | 'methods'>,
): Declaration[] {
  if (schedules.length === 0) return []
  const { declaredSchedulesMax } = LIMITS
  if (schedules.length > declaredSchedulesMax) {
    throw invalidField('hello.schedules', `must be at most ${declaredSchedulesMax}`)
  }
  if (!may(actor, 'schedules.write')) {
    const ids = schedules.map(({ schedule }) => schedule?.scheduleId ?? '')
    throw attachNotAllowed('schedules', ids)
  }
  const names = new Set(methods.map(({ name }) => name))
  const known = new Set<string>()
  return schedules.map((declared, index) => {
    const place = `hello.schedules[${index}]`
    const declaration = withinPlace(place, () => declarationFrom(namespace, declared))
    const { id, said } = declaration
    if (known.has(id)) throw invalidField(`${place}.schedule.schedule_id`, `is ${id} once more`)
    known.add(id)
    const method = said?.terms.job.method
    if (method !== undefined && !names.has(method)) {
      throw invalidField(
        `${place}.schedule.job.method`,
        `must be one of those in the hello, not ${method}`,
      )
    }
    return declaration
  })
}

function declarationFrom(namespace: string, declared: proto.DeclaredSchedule): Declaration {
  const { schedule, version, paused, removed } = declared
  if (schedule === undefined) throw invalidField('schedule', 'is required')
  if (version < 1) throw invalidField('version', `must be at least 1, not ${version}`)
  const id = scheduleIdFrom(schedule.scheduleId, 'schedule.schedule_id')
  if (schedule.namespace !== '' && schedule.namespace !== namespace) {
    throw invalidField(
      'schedule.namespace',
      `must be that of the hello, ${namespace}, or be left out`,
    )
  }
  if (schedule.etag !== '') {
    throw invalidField('schedule.etag', 'is not for declarations: their version says what is newer')
  }
  const { runAs } = schedule
  const fault = textFault(runAs, LIMITS.ownerCharactersMax)
  if (fault !== undefined) throw invalidField('schedule.run_as', fault)
  if (removed && !isNamedAlone(schedule)) {
    throw invalidField('schedule', 'must have its schedule_id alone where removed is set')
  }
  const said = removed ? undefined : { terms: termsFrom(schedule), isPaused: paused }
  return { id, version, runAs, said }
}

function isNamedAlone({ scheduleId, namespace, ...rest }: Schedule): boolean {
  const bytes = Schedule.encode({ ...rest, scheduleId: '', namespace: '' }).finish()
  return bytes.length === 0
}

/** What is said of a field names it as it stands in the hello. */
function withinPlace<T>(place: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Refusal) || error.violations.length === 0) throw error
    throw invalidFields(
      error.violations.map(({ field, description }) => ({
        field: `${place}.${field}`,
        description,
      })),
    )
  }
}

const RESULTS = { unchanged: 1, created: 2, changed: 3, removed: 4 } as const
const REFUSED = 5

export function outcomeTo({ id, result }: DeclarationOutcome): proto.DeclarationOutcome {
  if (!(result instanceof Refusal)) {
    return { scheduleId: id, result: RESULTS[result], reason: '', message: '' }
  }
  const { reason, message } = result
  return { scheduleId: id, result: REFUSED, reason, message }
}
