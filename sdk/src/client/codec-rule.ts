import type { Rule } from '../arguments/check-options.ts'
import { codecFault } from '../jobs/check-codec.ts'

/** A codec as definitions and clients take it. */
export const codecRule: Rule = (value) => {
  const [field, problem] = codecFault(value) ?? []
  if (field !== undefined) throw new TypeError(`${field} ${problem}`)
}
