/**
 * Header of the answers to health checks that says how the service establishes who calls, so that a client can tell its
 * user what becomes of a token.
 */
export const AUTHENTICATION_KEY = 'offstage-authentication'

/** Its value where everybody is believed and no token is read. */
export const DEVELOPMENT = 'development'
