/** Where rules of retention on the wire meet the domain's. */
import { durationFrom, msFrom } from '@offstage/proto/durations'
import { collectViolations, durationFault, type Note } from '@offstage/proto/field-rules'
import type * as proto from '@offstage/proto/jobs'
import { isJobKind } from '../domain/job-kind.ts'
import { isEndState, RETENTION_DEFAULTS, type Retention } from '../domain/retention.ts'
import { invalidFields } from '../refusals.ts'

/** As many as there are kinds and ends. */
const RULES_MAX = RETENTION_DEFAULTS.length

/** Of each kind and end that a rule is for; INVALID_FIELD names what is wrong with which. */
export function retentionFrom(rules: readonly proto.Retention[]): Retention[] {
  const violations = collectViolations((note) => {
    if (rules.length > RULES_MAX) note('retention', `must be at most ${RULES_MAX} rules`)
    for (const [index, rule] of rules.slice(0, RULES_MAX).entries()) {
      checkRule(`retention[${index}]`, rule, note)
      const first = rules.findIndex(({ kind, state }) => kind === rule.kind && state === rule.state)
      if (first < index) note(`retention[${index}]`, `is for what retention[${first}] is for`)
    }
  })
  if (violations.length > 0) throw invalidFields(violations)
  return RETENTION_DEFAULTS.flatMap((usual) => {
    const rule = ruleFor(rules, usual)
    if (rule === undefined) return []
    const { maxCount, maxAge } = rule
    const countMax = maxCount === 0n ? usual.countMax : maxCount < 0n ? undefined : Number(maxCount)
    return [{ ...usual, countMax, ageMsMax: msFrom(maxAge) ?? usual.ageMsMax }]
  })
}

/** The one that names the end goes before the one for every end. */
function ruleFor(rules: readonly proto.Retention[], { kind, state }: Retention) {
  const ofKind = rules.filter((rule) => rule.kind === kind)
  return ofKind.find((rule) => rule.state === state) ?? ofKind.find((rule) => rule.state === 0)
}

function checkRule(field: string, { kind, state, maxCount, maxAge }: proto.Retention, note: Note) {
  if (!isJobKind(kind)) note(`${field}.kind`, 'must be PROGRAM, SYSTEM or SCHEDULED')
  if (state !== 0 && !isEndState(state)) {
    note(`${field}.state`, 'must be SUCCEEDED, FAILED or CANCELED, or not set')
  }
  if (maxCount < -1n || maxCount > BigInt(Number.MAX_SAFE_INTEGER)) {
    note(`${field}.max_count`, 'must be a count, 0 for the default, or -1 for any number')
  }
  if (maxAge !== undefined) note(`${field}.max_age`, durationFault(msFrom(maxAge)))
}

export function retentionTo({ kind, state, countMax, ageMsMax }: Retention): proto.Retention {
  const maxCount = countMax === undefined ? -1n : BigInt(countMax)
  return { kind, state, maxCount, maxAge: durationFrom(ageMsMax) }
}
