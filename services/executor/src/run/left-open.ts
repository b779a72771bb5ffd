import type { LeftOpenReport } from '@offstage/sdk/runs'
import type { LeftOpenNote } from '../domain/attempt.ts'
import { faultFromThrown, withoutFramesBelow } from '../domain/fault.ts'
import { LEFT_OPEN_MAX, LOG_TEXT_CHARACTERS_MAX } from '../lanes/read-message.ts'

/** As the log of the executor has it: with frames of the handler's code alone. */
export function notesOf({ leftOpen }: LeftOpenReport): LeftOpenNote[] {
  return leftOpen.slice(0, LEFT_OPEN_MAX).map(({ what, openedAt, error }) => ({
    what: cut(what),
    openedAt: cut(withoutFramesBelow(openedAt)),
    ...(error === undefined ? {} : { problem: cut(faultFromThrown(error).brief) }),
  }))
}

function cut(text: string): string {
  return text.slice(0, LOG_TEXT_CHARACTERS_MAX)
}
