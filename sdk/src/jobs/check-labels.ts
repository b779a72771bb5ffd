/** Labels by expressions, looked at before an executor announces them (row J18); whether they have a value the scheduler says. */
import { checkLabels, collectViolations, textFault } from '@offstage/proto/field-rules'
import { LIMITS } from '@offstage/proto/limits'
import { shown } from '../arguments/shown.ts'
import type { LabelExpressions } from './method.ts'

export function checkLabelExpressions(
  labels: LabelExpressions | undefined,
  refuse: (field: string, problem: string) => never,
): void {
  if (labels === undefined) return
  if (typeof labels !== 'object' || labels === null || Array.isArray(labels)) {
    refuse('labels', `must be a function, or expressions by label, not ${shown(labels)}`)
  }
  const names = Object.fromEntries(Object.keys(labels).map((name) => [name, '']))
  const [wrong] = collectViolations((note) => checkLabels('labels', names, note))
  if (wrong !== undefined) refuse(wrong.field, wrong.description)
  for (const [name, expression] of Object.entries(labels)) {
    const field = `labels[${name}]`
    if (typeof expression !== 'string' || expression === '') {
      refuse(field, `must be a CEL expression such as "params.tenant", not ${shown(expression)}`)
    }
    const fault = textFault(expression, LIMITS.keyExpressionCharactersMax)
    if (fault !== undefined) refuse(field, fault)
  }
}
