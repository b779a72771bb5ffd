import { LIMITS } from '@offstage/proto/limits'

/** Whether things can belong to a user of this name: it stands in columns, indexes and logs. */
export function isUserName(text: string): boolean {
  return text !== '' && text.length <= LIMITS.ownerCharactersMax && !/\p{Cc}/u.test(text)
}
