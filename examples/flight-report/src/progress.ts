import { Presets, SingleBar } from 'cli-progress'

/** Shows how far something has come. */
export interface ProgressDisplay {
  /** Percent 0 to 100. */
  show(percent: number, text: string): void
  stop(): void
}

/** A live bar on a terminal, a line for each step elsewhere (logs, CI). */
export function createProgressDisplay(out: NodeJS.WriteStream): ProgressDisplay {
  return out.isTTY ? createBar(out) : createLines(out)
}

function createBar(out: NodeJS.WriteStream): ProgressDisplay {
  const format = '{bar} {percentage} %  {text}'
  const bar = new SingleBar({ format, stream: out, hideCursor: true }, Presets.shades_classic)
  bar.start(100, 0, { text: '' })
  return {
    show: (percent, text) => bar.update(Math.floor(percent), { text }),
    stop: () => bar.stop(),
  }
}

function createLines(out: NodeJS.WritableStream): ProgressDisplay {
  let last = ''
  return {
    show(percent, text) {
      const line = `${String(Math.floor(percent)).padStart(3)} %  ${text}`
      if (line !== last) out.write(`${line}\n`)
      last = line
    },
    stop() {},
  }
}
