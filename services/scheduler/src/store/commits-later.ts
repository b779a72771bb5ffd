/**
 * SQL, true: the commit of its statement does not wait for the disk (ADR 0016). For what nobody is told is durable, and what may be as if it had
 * never been after a power loss. Whatever commits after it and does wait makes it durable too.
 */
export const COMMITS_LATER = `(SELECT set_config('synchronous_commit', 'off', true)) IS NOT NULL`
