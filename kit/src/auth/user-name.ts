import { LIMITS } from '@offstage/proto/limits'

/** Control and format characters (of bidirectional text, of no width), line ends, halves of surrogate pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/**
 * Whether things can belong to a user of this name: it stands in columns, indexes and logs, where no name may pass for another by
 * what nobody sees.
 */
export function isUserName(text: string): boolean {
  const isOfLength = text !== '' && text.length <= LIMITS.ownerCharactersMax
  return isOfLength && text === text.trim() && !UNSEEN.test(text)
}
