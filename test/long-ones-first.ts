/** In which order test files begin, so that no long one is left for the end, alone. */
import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where tests are of several processes together. */
const LONG = /^(?:test|cli|docs|examples)\//

/** Within a rank it is as Vitest has it: by what they took before, where that is known, else by size. */
export class LongOnesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((a, b) => this.#rank(a) - this.#rank(b))
  }

  #rank({ project, moduleId }: TestSpecification): number {
    const isLong = LONG.test(relative(this.ctx.config.root, moduleId))
    return (project.name === 'together' ? 2 : 0) + (isLong ? 0 : 1)
  }
}
