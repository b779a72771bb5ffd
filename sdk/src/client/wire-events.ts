import {
  MessageSeverity as Severity,
  type JobMessage as WireMessage,
  type Progress as WireProgress,
} from '@offstage/proto/jobs'
import type { JobMessage, MessageSeverity, Progress } from './events.ts'

/** Progress as it is shown to callers. */
export function progressFrom({ percent, text, extra, revision }: WireProgress): Progress {
  return { percent, text, extra, revision }
}

/** A message as it is shown to callers. */
export function messageFrom(message: WireMessage): JobMessage {
  const { sequence, recordTime, severity, text, extra } = message
  return { sequence, recordTime, severity: severityFrom(severity), text, extra }
}

function severityFrom(severity: Severity): MessageSeverity {
  if (severity === Severity.MESSAGE_SEVERITY_WARNING) return 'warning'
  return severity === Severity.MESSAGE_SEVERITY_ERROR ? 'error' : 'info'
}
