/**
 * What ends or signals a whole process is refused in a thread of it, which handlers share with the executor: by mistake they would end
 * them all. Their own children they may signal.
 */
export function guardOwnProcess(): void {
  const { kill, pid, ppid } = process
  // 0 and what is negative are groups of processes, this one's among them; -1 are all.
  const shared: readonly number[] = [pid, ppid, 0, -pid, -1]
  process.kill = (id, signal) => {
    // A text is taken for a number there, as one that was read from a file.
    if (shared.includes(Number(id))) {
      throw new Error(
        `process.kill(${id}) is refused in a handler: the process is that of the executor, and runs the jobs of others; throw an error, or return`,
      )
    }
    return kill.call(process, id, signal)
  }
}
