/**
 * The hot path of this tree beside that of another commit (BESIDE): both stacks stand, and are driven in turns within one run, so
 * that what the machine does otherwise meets both. The ratio of two runs one after the other tells less than it seems to. Nor does one
 * pair of stacks: the same code is some percent faster or slower for as long as its processes live, so both are started anew a few times.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { median } from './rate.ts'

/** How often both are started. */
const STANDS = Number(process.env.BENCH_STANDS ?? 4)
/** For each of them. */
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3)
const SECONDS = Number(process.env.BENCH_SECONDS ?? 3)
const KINDS = ['batches', 'one'] as const
type Kind = (typeof KINDS)[number]

const [commit] = process.argv.slice(2)
if (!commit) throw new Error('say which commit: make bench-beside BESIDE=v1.2.3')
const root = join(import.meta.dirname, '../..')

/** Its tree, with its packages and servers; it is left there for the next time. */
function checkOut(sha: string): string {
  const tree = join(tmpdir(), `offstage-beside-${sha}`)
  const run = (command: string, args: string[], cwd: string) =>
    execFileSync(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
  if (!existsSync(tree)) run('git', ['worktree', 'add', '--quiet', '--detach', tree, sha], root)
  run('make', ['setup', 'servers'], tree)
  copyFileSync(join(import.meta.dirname, 'turns.ts'), join(tree, 'bench', 'hot-path', 'turns.ts'))
  return tree
}

interface Pair {
  before: number
  after: number
}
type Rates = Record<Kind, Pair[]>

interface Driven extends AsyncDisposable {
  /** Jobs a second. */
  rate(kind: Kind): Promise<number>
}

async function drive(tree: string): Promise<Driven> {
  const child = spawn(
    join(tree, 'node_modules', '.bin', 'node'),
    [join(tree, 'bench', 'hot-path', 'turns.ts')],
    { cwd: tree, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done) throw new Error(`the stack of ${tree} has ended`)
    return value
  }
  await answer()
  return {
    async rate(kind) {
      child.stdin.write(`${kind} ${SECONDS}\n`)
      return Number((await answer()).replace('rate ', ''))
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      await once(child, 'exit')
    },
  }
}

const sha = execFileSync('git', ['rev-parse', commit], { cwd: root, encoding: 'utf8' }).trim()
const trees = [checkOut(sha), root] as const

/** The rates of both stacks, started anew. */
async function stand(isTurned: boolean): Promise<Rates> {
  await using before = await drive(trees[0])
  await using after = await drive(trees[1])
  const rates: Rates = { batches: [], one: [] }
  for (const kind of KINDS) await Promise.all([before.rate(kind), after.rate(kind)])
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of KINDS) {
      const pair = { before: 0, after: 0 }
      const turns = [
        async () => (pair.before = await before.rate(kind)),
        async () => (pair.after = await after.rate(kind)),
      ]
      for (const turn of (round % 2 === 0) === isTurned ? turns.reverse() : turns) await turn()
      rates[kind].push(pair)
    }
  }
  return rates
}

const stands: Rates[] = []
while (stands.length < STANDS) {
  stands.push(await stand(stands.length % 2 === 0))
  console.log(`${stands.length} of ${STANDS} pairs of stacks driven`)
}

/** By how much the mean of the ratios may be off, once in three. */
function standardError(values: readonly number[], mean: number): number {
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return Math.sqrt(squares / (values.length - 1) / values.length)
}

const figures = (kind: Kind) => {
  const medianOf = (rates: readonly Rates[], of: keyof Pair) =>
    median(rates.flatMap((each) => each[kind].map((pair) => pair[of])))
  const perSecond = (of: keyof Pair) => `${Math.round(medianOf(stands, of)).toLocaleString('en')}/s`
  const ratios = stands.map((one) => medianOf([one], 'after') / medianOf([one], 'before'))
  const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length
  return {
    [commit]: perSecond('before'),
    here: perSecond('after'),
    ratio: `${mean.toFixed(3)} ± ${standardError(ratios, mean).toFixed(3)}`,
  }
}
console.table({
  'jobs started and awaited, batches of 500, 8 in flight': figures('batches'),
  'jobs started and awaited one by one, 100 callers': figures('one'),
})
