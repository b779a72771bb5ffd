/** Where a JobFilter becomes terms: of its fields and of its text, each field in one of them. */
import {
  checkLabels,
  collectViolations,
  type Note,
  textFault,
  timeFault,
} from '@offstage/proto/field-rules'
import {
  type FilterTerm,
  fieldOf,
  isFilterFault,
  parseFilter,
  type WordField,
  wordFault,
} from '@offstage/proto/job-filter'
import type * as proto from '@offstage/proto/jobs'
import { LIMITS } from '@offstage/proto/limits'
import { isJobKind, JobKind } from '../domain/job-kind.ts'
import type { JobFilter } from '../domain/job-query.ts'
import { isJobState, JobState } from '../domain/job-state.ts'
import { invalidFields } from '../refusals.ts'

export function filterFrom(filter: proto.JobFilter | undefined): JobFilter {
  if (filter === undefined) return []
  let terms: JobFilter = []
  const violations = collectViolations((note) => {
    noteFields(filter, note)
    const said = parseFilter(filter.text)
    if (isFilterFault(said)) {
      note('filter.text', `is wrong at character ${said.position}: ${said.description}`)
      return
    }
    const set = termsOfFields(filter)
    noteBoth(set, said, note)
    terms = [...set, ...said]
  })
  if (violations.length > 0) throw invalidFields(violations)
  return terms
}

const { filterValuesMax } = LIMITS
const TOO_MANY = `must be at most ${filterValuesMax}`

function noteFields(filter: proto.JobFilter, note: Note): void {
  noteValues('filter.states', filter.states, isJobState, note)
  noteValues('filter.kinds', filter.kinds, isJobKind, note)
  const { methods, parentJobId } = filter
  if (methods.length > filterValuesMax) note('filter.methods', TOO_MANY)
  for (const [index, method] of methods.slice(0, filterValuesMax).entries()) {
    const fault = textFault(method, LIMITS.methodCharactersMax) ?? wordFault('method', method)
    note(`filter.methods[${index}]`, fault)
  }
  note('filter.key', textFault(filter.key, LIMITS.keyCharactersMax))
  note('filter.owner', textFault(filter.owner, LIMITS.ownerCharactersMax))
  note('filter.parent_job_id', wordFault('parent', parentJobId))
  checkLabels('filter.labels', filter.labels, note)
  note('filter.created_from', timeFault(filter.createdFrom))
  note('filter.created_before', timeFault(filter.createdBefore))
}

function noteValues(
  field: string,
  values: readonly number[],
  isKnown: (value: number) => boolean,
  note: Note,
): void {
  if (values.length > filterValuesMax) note(field, TOO_MANY)
  if (!values.every(isKnown)) note(field, 'must be known values')
}

const STATE_NAMES = new Map(Object.entries(JobState).map(([name, state]) => [state, name]))
const KIND_NAMES = new Map(Object.entries(JobKind).map(([name, kind]) => [kind, name]))

function termsOfFields(filter: proto.JobFilter): FilterTerm[] {
  const words = (field: WordField, values: readonly (string | undefined)[]) =>
    values.flatMap((value) => (value ? [{ field, value, not: false }] : []))
  const { createdFrom, createdBefore } = filter
  const terms: FilterTerm[] = [
    ...words(
      'state',
      filter.states.map((state) => STATE_NAMES.get(state as JobState)),
    ),
    ...words('method', filter.methods),
    ...words('key', [filter.key]),
    ...words('owner', [filter.owner]),
    ...words(
      'kind',
      filter.kinds.map((kind) => KIND_NAMES.get(kind as JobKind)),
    ),
    ...words('parent', [filter.parentJobId]),
  ]
  for (const [label, value] of Object.entries(filter.labels)) {
    terms.push({ field: 'label', label, value, not: false })
  }
  if (createdFrom !== undefined) terms.push({ field: 'created', op: '>=', time: createdFrom })
  if (createdBefore !== undefined) terms.push({ field: 'created', op: '<', time: createdBefore })
  return terms
}

/** Side by side they would be alternatives, which nobody who sets both can mean. */
function noteBoth(set: JobFilter, said: JobFilter, note: Note): void {
  const fields = new Set(set.filter((term) => 'value' in term).map(fieldOf))
  for (const term of said) {
    const field = fieldOf(term)
    if ('value' in term && !term.not && fields.has(field)) {
      note('filter.text', `names ${field}, which is set beside it too: give it in one place`)
      return
    }
  }
}
