/**
 * How a computed value is handed to more than one caller (row C5): frozen, copied, or not at all.
 */

import { copyValue } from './copy.ts'
import { freezeDate } from './frozen-date.ts'
import {
  describe,
  type Inspection,
  inspectValue,
  isPlain,
  isPlainArray,
  scalarBytes,
} from './inspect.ts'
import { findResource, placeOf } from './resources.ts'
import { types } from './runtime.ts'

/** What is frozen of a value before it is shared; the default is `deep`. */
export type FreezeMode = (typeof freezeModes)[number]
export const freezeModes = ['deep', 'shallow', 'none'] as const

/**
 * What happens to a value that cannot be frozen:
 * - `error`, the default: the call fails with a TypeError that says why.
 * - `copy`: each caller gets a copy, where a faithful one can be made; otherwise as `error`.
 * - `bypass`: it goes to the one caller that computed it and is not remembered; callers who waited
 *   for it compute their own.
 */
export type UnfreezableRule = (typeof unfreezableRules)[number]
export const unfreezableRules = ['error', 'copy', 'bypass'] as const

/**
 * - `shared`: everybody gets this very object.
 * - `copied`: `value` is a private original, everybody gets a copy of it.
 * - `refused`: by the rule in force it must not be shared. `why` reads on from "it".
 */
export type Sharing =
  | { readonly kind: 'shared'; readonly bytes: number }
  | { readonly kind: 'copied'; readonly bytes: number; readonly original: unknown }
  | {
      readonly kind: 'refused'
      /** `be frozen`, or `be kept in a session`. */
      readonly cannot: string
      readonly why: string
      readonly remedy: string
    }

/**
 * Freezes `value` in place or takes a private copy, by the stated rule:
 * - `none`: shared as it is; keeping it unchanged is the callers' promise.
 * - `shallow`: the outermost object is frozen, what it holds is shared as it is. An outermost
 *   object that freezing does not protect is treated as under `deep`.
 * - `deep`: everything is frozen. With a Map, Set, RegExp or buffer inside, the value is refused,
 *   or copied if `unfreezable` says so. With a class instance, function or accessor inside it is
 *   refused either way.
 * Whatever the mode, what somebody has to close is refused where the value outlives its run
 * (`isOfSession`). A refused value is left untouched.
 */
export function shareValue(
  value: unknown,
  mode: FreezeMode,
  unfreezable: UnfreezableRule,
  isOfSession = true,
): Sharing {
  if (typeof value !== 'object' && typeof value !== 'function') {
    return { kind: 'shared', bytes: scalarBytes(value) }
  }
  const inspection = inspectValue(value)
  const { bytes, objects } = inspection
  // What holds one is never plain, so plain values are not looked through.
  const isOpaque = inspection.shareability === 'opaque'
  const resource = isOfSession && isOpaque ? findResource(objects) : undefined
  if (resource !== undefined) return resourceRefusal(value, resource)
  if (mode === 'none') return { kind: 'shared', bytes }
  if (mode === 'shallow' && isOutermostFreezable(inspection)) {
    freeze(objects.slice(0, 1))
    return { kind: 'shared', bytes }
  }
  switch (inspection.shareability) {
    case 'freezable':
      freeze(objects)
      return { kind: 'shared', bytes }
    case 'copyable':
      if (unfreezable === 'copy') return { kind: 'copied', bytes, original: copyValue(value) }
      return refusal(inspection, "{ unfreezable: 'copy' }")
    case 'opaque':
      return refusal(inspection, "{ freeze: 'none' } or { unfreezable: 'bypass' }")
  }
}

function refusal({ obstacle }: Inspection, option: string): Sharing {
  return {
    kind: 'refused',
    cannot: 'be frozen',
    why: `holds ${obstacle}`,
    remedy: `Return plain data, or pass ${option}`,
  }
}

function resourceRefusal(value: unknown, resource: object): Sharing {
  const place = placeOf(value, resource)
  return {
    kind: 'refused',
    cannot: 'be kept in a session',
    why: `${place === '' ? 'is' : `holds, at ${place},`} ${describe(resource)}, which somebody has to close`,
    remedy: "Open it for each run, { lifetime: 'call', freeze: 'none' }",
  }
}

/** Whether freezing the outermost object alone leaves nothing of it open. */
function isOutermostFreezable({ objects, shareability }: Inspection): boolean {
  const outermost = objects[0]
  if (outermost === undefined) return shareability === 'freezable'
  if (types.isProxy(outermost)) return false
  if (outermost instanceof Date) return inspectValue(outermost).shareability === 'freezable'
  if (!isPlainArray(outermost) && !isPlain(outermost)) return false
  const properties = Object.values(Object.getOwnPropertyDescriptors(outermost))
  return properties.every((property) => 'value' in property)
}

function freeze(objects: readonly object[]): void {
  for (const object of objects) {
    if (object instanceof Date) freezeDate(object)
    else Object.freeze(object)
  }
}
