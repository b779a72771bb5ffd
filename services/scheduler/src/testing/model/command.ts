import type fc from 'fast-check'
import type { Model } from './model.ts'
import { compare, type Real } from './real.ts'

export type JobCommand = fc.AsyncCommand<Model, Real>

/** Does something to both, and compares them. `can`: whether there is anything to do it to. */
export function command(
  text: string,
  run: (model: Model, real: Real) => Promise<void>,
  can: (model: Readonly<Model>) => boolean = () => true,
): JobCommand {
  return {
    check: can,
    toString: () => text,
    async run(model, real) {
      await run(model, real)
      await compare(model, real)
    },
  }
}
