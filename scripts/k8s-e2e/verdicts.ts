/** Scenarios one after the other, and what came of each. */
import { performance } from 'node:perf_hooks'
import { NotRun } from './cluster.ts'
import type { Stage } from './stage.ts'

export interface Scenario {
  /** As the guide has it. */
  readonly name: string
  /** Resolves to what was measured or seen. @throws where it is not as it should be, or NotRun where this cluster cannot show it */
  run(stage: Stage): Promise<string>
  /** Without it there is nothing to try the others on. */
  readonly isNeeded?: boolean
}

export interface Verdict {
  readonly name: string
  readonly verdict: 'ok' | 'not run' | 'FAILED'
  readonly figure: string
}

export async function runScenarios(
  scenarios: readonly Scenario[],
  stage: Stage,
  tell: (line: string) => void,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  const needed = new Set(scenarios.filter((each) => each.isNeeded).map(({ name }) => name))
  const wide = Math.max(...scenarios.map(({ name }) => name.length))
  for (const scenario of scenarios) {
    const begunMs = performance.now()
    const lacks = verdicts.find((one) => one.verdict === 'FAILED' && needed.has(one.name))
    const { verdict, figure } =
      lacks === undefined
        ? await judge(scenario, stage)
        : { verdict: 'FAILED' as const, figure: `not tried: ${lacks.name} failed` }
    const seconds = `${((performance.now() - begunMs) / 1_000).toFixed(0)} s`
    verdicts.push({ name: scenario.name, verdict, figure })
    tell(`${verdict.padEnd(7)}  ${scenario.name.padEnd(wide)}  ${seconds.padStart(5)}  ${figure}`)
  }
  return verdicts
}

async function judge({ name, run }: Scenario, stage: Stage): Promise<Verdict> {
  try {
    return { name, verdict: 'ok', figure: await run(stage) }
  } catch (error) {
    const figure = error instanceof Error ? error.message : String(error)
    return { name, verdict: error instanceof NotRun ? 'not run' : 'FAILED', figure }
  }
}

/** The last line: what was not run is no success, and said beside it. */
export function closingLine(verdicts: readonly Verdict[]): string {
  const count = (of: Verdict['verdict']) => verdicts.filter(({ verdict }) => verdict === of).length
  const notRun = count('not run')
  const beside = notRun === 0 ? '' : `, ${notRun} not run`
  return `${verdicts.length} scenarios, ${count('FAILED')} failed${beside}`
}
