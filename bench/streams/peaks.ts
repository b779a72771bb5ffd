import { readFile, writeFile } from 'node:fs/promises'

export interface Watched {
  readonly name: string
  readonly pid: number
}

/** Resident memory of a process, in MiB. */
export interface Peak {
  readonly process: string
  readonly before: number
  readonly peak: number
  readonly grown: number
}

/** What the resident memory of processes has come to at most while work was done, as Linux keeps it. */
export async function peaksOf(
  processes: readonly Watched[],
  work: () => Promise<void>,
): Promise<Peak[]> {
  const before = await Promise.all(
    processes.map(async ({ pid }) => {
      // The peak is that of now.
      await writeFile(`/proc/${pid}/clear_refs`, '5')
      return mebibytesOf(pid, 'VmRSS')
    }),
  )
  await work()
  return Promise.all(
    processes.map(async ({ name, pid }, at) => {
      const peak = await mebibytesOf(pid, 'VmHWM')
      return { process: name, before: before[at] ?? 0, peak, grown: peak - (before[at] ?? 0) }
    }),
  )
}

async function mebibytesOf(pid: number, field: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024)
}
