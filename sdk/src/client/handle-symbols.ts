/** What waits may do with a handle and callers may not: kept out of the public list. */

/** Listens to a job that has not ended. */
export const followJob: unique symbol = Symbol('followJob')

/** Takes in what was read of the job. */
export const learnJob: unique symbol = Symbol('learnJob')
