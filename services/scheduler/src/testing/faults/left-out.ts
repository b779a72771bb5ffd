/** What cannot hold under faults. */

/** Files, by their paths in the sources of the scheduler. */
export const LEFT_OUT_FILES: Readonly<Record<string, string>> = {
  acts: 'counts acts, of which a call whose answer was lost has another as it is made again',
  'attempts/signing-keys': 'has a store without a scheduler',
  'dispatch/trouble': 'makes the faults itself, and counts them',
  floods: 'counts connections, and what of them is refused and reset',
  refreshes: 'counts epochs, of which a refresh that is asked for again raises another',
  watch: 'a watch ends where its read fails, and is opened anew by the SDK alone',
  'watch-outage': 'makes the outages itself',
  'waits-at-scale': 'counts statements',
}

/** Tests, by their titles. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'a start that finds room begins in the statement that records it, and one that finds others queued does not':
    'counts statements, and a sweep claims what one that failed has left',
  'while as many run as may no slot that is free is looked for, in whichever lane: one place is one claim':
    'counts statements',
  'a start that says nothing else begins at once beside an attached one of the same call':
    'where the stream of its executor was broken, what went back into the queue comes before',
  'a start by SQL leaves the row that StartJob leaves': 'what is to be asked again is given an id',
  'a job started without a request id has none': 'what is to be asked again is given one',
}
