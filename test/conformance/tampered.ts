/** What bad executors say, made of what a good one does: each scenario named here must fail for it. */
import { randomUUID } from 'node:crypto'
import type { AttachRequest, AttemptResult, Hello } from '@offstage/proto/executor'

type Tamper = (heard: AttachRequest) => AttachRequest

const hello =
  (more: (hello: Hello) => Partial<Hello>): Tamper =>
  (heard) => ({ ...heard, hello: heard.hello && { ...heard.hello, ...more(heard.hello) } })

const results =
  (more: (result: AttemptResult) => Partial<AttemptResult>): Tamper =>
  (heard) => ({
    ...heard,
    results: heard.results.map((result) => ({ ...result, ...more(result) })),
  })

const failures = (more: {
  readonly reason?: string
  readonly brief?: string
  readonly retryable?: boolean
}) =>
  results(({ outcome }) => ({
    outcome:
      outcome?.$case === 'failed'
        ? { $case: 'failed', value: { ...outcome.value, ...more } }
        : outcome,
  }))

const withoutSha256 = results(({ outcome }) => ({
  outcome:
    outcome?.$case === 'succeeded'
      ? { $case: 'succeeded', value: { ...outcome.value, sha256: undefined } }
      : outcome,
}))

const NOTHING = { source: undefined, contentType: '', sha256: undefined }

export const tampered: Readonly<Record<string, Tamper>> = {
  '1.1': hello(() => ({ namespace: 'another' })),
  '1.2': hello(({ methods }) => ({
    methods: methods.map((each) => ({ ...each, paramsSchema: '' })),
  })),
  '1.3': (heard) => ({
    ...heard,
    credits: heard.credits.map(({ lane, slots }) => ({ lane, slots: slots + 1 })),
  }),
  '2.1': results(({ outcome }) => ({
    outcome: outcome && { $case: 'succeeded', value: NOTHING },
  })),
  '2.4': failures({ retryable: true }),
  '2.5': failures({ reason: 'Error' }),
  '2.6': (heard) => ({ ...heard, progress: [...heard.progress, ...heard.progress] }),
  '2.7': (heard) => ({ ...heard, messages: heard.messages.toReversed() }),
  '2.8': failures({ retryable: false }),
  '2.9': (heard) => ({
    ...heard,
    progress: heard.progress.map(({ heartbeatData, ...rest }) => ({
      ...rest,
      heartbeatData: heartbeatData && {
        ...heartbeatData,
        source: { $case: 'inline', value: Buffer.from('1') },
      },
    })),
  }),
  '2.11': failures({ retryable: false }),
  '2.12': failures({ retryable: true }),
  '2.13': failures({ reason: 'TIMEOUT' }),
  '2.14': failures({ brief: 'It failed.' }),
  '2.15': (heard) => ({ ...heard, waiting: heard.waiting.filter(({ waiting }) => waiting) }),
  '2.16': (heard) => (heard.hello === undefined ? heard : { ...heard, waiting: [] }),
  '3.1': withoutSha256,
  '3.5': failures({ reason: 'Error' }),
  '3.6': results(() => ({ additionalResult: { ...NOTHING } })),
  '4.1': results(() => ({ neverStarted: true })),
  '4.2': results(() => ({ neverStarted: false })),
  '4.4': results(() => ({ outcome: { $case: 'succeeded', value: NOTHING } })),
  '4.5': (heard) => ({ ...heard, results: [...heard.results, ...heard.results] }),
  '5.1': hello(() => ({ sessionId: randomUUID() })),
  '5.4': (heard) => (heard.hello === undefined ? heard : { ...heard, results: [] }),
  '5.8': hello(() => ({ running: [] })),
}
