/** Starts in a namespace that somebody has exclusively (row L10): the statement that was to record them has left them out. */
import type { StartCommand } from '../domain/start-command.ts'
import type { StartStore } from '../ports/starts.ts'
import { namespaceExclusive } from '../refusals.ts'
import type { StartOutcome } from './start-outcome.ts'

interface Start {
  readonly place: number
  readonly met: { readonly command: StartCommand }
}

/** Returns those that nobody keeps out. */
export async function refuseKeptOut<S extends Start>(
  { store }: { readonly store: Pick<StartStore, 'findRefused'> },
  starts: readonly S[],
  outcomes: (StartOutcome | undefined)[],
): Promise<readonly S[]> {
  const holders = await store.findRefused(starts.map(({ met }) => met.command))
  return starts.filter(({ place, met }, index) => {
    const holder = holders[index]
    if (holder === undefined) return true
    const refusal = namespaceExclusive(met.command.namespace, holder)
    outcomes[place] = { kind: 'refused', refusal }
    return false
  })
}
