import { JobKind } from '../domain/job-kind.ts'
import { Lane } from '../domain/lane.ts'
import type { StartCommand } from '../domain/start-command.ts'

/** A start that asks for nothing but what is given. */
export function startCommand(given: Partial<StartCommand> = {}): StartCommand {
  return {
    namespace: 'default',
    owner: 'dev',
    admin: true,
    seesOthers: true,
    method: 'test.job',
    params: { type: '' },
    kind: JobKind.program,
    lane: Lane.inline,
    priority: 0,
    pool: '',
    key: '',
    keyConflict: 'refuse',
    requestId: '',
    parentId: '',
    labels: undefined,
    startTime: undefined,
    delayMs: 0,
    traceparent: '',
    options: undefined,
    ...given,
  }
}
