import type { AttachRequest } from '@offstage/proto/executor'

/** A message that says nothing yet; to be filled. */
export function emptyFrame(): AttachRequest {
  return {
    hello: undefined,
    credits: [],
    results: [],
    progress: [],
    messages: [],
    waiting: [],
    handedBack: [],
    heartbeat: false,
    draining: false,
  }
}
