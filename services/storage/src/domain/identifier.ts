/** Names as they come from outside, made safe by one parser each. */
import { isAddress, isNamespace, isScopeId, isUploadId } from '@offstage/proto/field-rules'

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
  <Id extends string>(fits: (text: string) => boolean) =>
  (text: string): Id | undefined =>
    fits(text) ? (text as Id) : undefined

/** Undefined for anything that cannot be an address. */
export const parseAddress = parser<Address>(isAddress)
export const parseScopeId = parser<ScopeId>(isScopeId)
export const parseUploadId = parser<UploadId>(isUploadId)
export const parseNamespace = parser<Namespace>(isNamespace)

/** `random`: 32 hexadecimal digits that have never been used before. */
export const addressFrom = (random: string): Address => `val_${random}` as Address
export const scopeIdFrom = (random: string): ScopeId => `scp_${random}` as ScopeId
export const uploadIdFrom = (random: string): UploadId => `upl_${random}` as UploadId
