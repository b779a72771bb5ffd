import { readdir, readFile, readlink } from 'node:fs/promises'

/** What the threads of a process are called, and what its open handles lead to, each with how many there are. */
export async function insideOf(pid: number): Promise<string> {
  const [threads, handles] = await Promise.all([
    namesIn(`/proc/${pid}/task`, (path) => readFile(`${path}/comm`, 'utf8')),
    namesIn(`/proc/${pid}/fd`, readlink),
  ])
  return `threads: ${countsOf(threads)}; handles: ${countsOf(handles)}`
}

/** What goes away meanwhile has none. */
async function namesIn(folder: string, nameOf: (path: string) => Promise<string>) {
  const names = (await readdir(folder)).map((entry) => nameOf(`${folder}/${entry}`).catch(() => ''))
  return (await Promise.all(names)).filter((name) => name !== '')
}

/** Those that differ by a number alone count as one. */
function countsOf(names: readonly string[]): string {
  const groups = Map.groupBy(names, (name) => name.trim().replace(/ ?\[?\d+\]?$/, ''))
  const counts = [...groups].map(([name, all]) => [name, all.length] as const)
  return counts
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
}
