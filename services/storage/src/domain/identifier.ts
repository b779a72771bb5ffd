/** Names as they come from outside, made safe by one parser each. */

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** Where a value is: `val_` and 32 hexadecimal digits of randomness. Opaque to callers. */
export type Address = Branded<'address'>
/** `scp_` and 32 hexadecimal digits. */
export type ScopeId = Branded<'scope'>
/** `upl_` and 32 hexadecimal digits. */
export type UploadId = Branded<'upload'>
/** 1 to 63 letters, digits, `-` and `_`; also a token of event subjects. */
export type Namespace = Branded<'namespace'>

const parser =
  <Id extends string>(pattern: RegExp) =>
  (text: string): Id | undefined =>
    pattern.test(text) ? (text as Id) : undefined

/** Undefined for anything that cannot be an address. */
export const parseAddress = parser<Address>(/^val_[0-9a-f]{32}$/)
export const parseScopeId = parser<ScopeId>(/^scp_[0-9a-f]{32}$/)
export const parseUploadId = parser<UploadId>(/^upl_[0-9a-f]{32}$/)
export const parseNamespace = parser<Namespace>(/^[A-Za-z0-9_-]{1,63}$/)

/** `random`: 32 hexadecimal digits that have never been used before. */
export const addressFrom = (random: string): Address => `val_${random}` as Address
export const scopeIdFrom = (random: string): ScopeId => `scp_${random}` as ScopeId
export const uploadIdFrom = (random: string): UploadId => `upl_${random}` as UploadId
