/** Codes of OpenSSL and Node, for a server that is not made sure of, or one that does not want our certificate. */
const CODES =
  /^(ERR_(TLS|SSL|OSSL)_|CERT_|UNABLE_TO_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/

/** Whether TLS failed, by the error or by what caused it: a matter of certificates, not of a server that is away. */
export function isTlsFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string' && CODES.test(error.code)) return true
  return error.cause !== undefined && isTlsFault(error.cause)
}
