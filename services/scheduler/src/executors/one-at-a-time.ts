/**
 * Work that is asked for more often than it can be done, as by hints, of which anybody on the bus may send any number: it runs once
 * at a time, and once more for all that asked meanwhile.
 */
export function oneAtATime(work: () => Promise<void>): () => void {
  let running = false
  let again = false
  const run = async () => {
    running = true
    do {
      again = false
      await work()
    } while (again)
    running = false
  }
  return () => {
    if (running) again = true
    else void run()
  }
}
