import { isPastedContent } from '@offstage/proto/pasted-content'

const HIDDEN = '***'

/** The text with the passwords and tokens within its urls made unreadable; all of it where it is a token or a key itself. */
export function redact(text: string): string {
  if (isPastedContent(text)) return HIDDEN
  // Several urls may stand in a row; each is treated by itself. Within one, everything up to the
  // last @ counts as credentials: a password with unescaped marks in it must not show through.
  return text
    .split(/,(?=\s*[a-z][a-z0-9+.-]*:\/\/)/i)
    .map((url) =>
      url
        .replace(/^(\s*)([a-z][a-z0-9+.-]*):\/\/(.*)@/is, hideCredentials)
        // What was to be a url and is none: of what stands before its last @ nothing can be told apart.
        .replace(/^(?!\s*[a-z][a-z0-9+.-]*:\/\/)(?:.*[:/].*@|.*@(?=[^@]*:\d+\s*$))/is, `${HIDDEN}@`)
        .replace(/([?&](?:password|sslpassword|token)=)[^&#]*/gi, `$1${HIDDEN}`),
    )
    .join(',')
}

function hideCredentials(_: string, space: string, scheme: string, credentials: string): string {
  const colon = credentials.indexOf(':')
  const user = colon === -1 ? credentials : credentials.slice(0, colon)
  // Only with a database it is known to be a user: a NATS url with one part before the @ carries a token there.
  const token = colon === -1 && !/^postgres(ql)?$/i.test(scheme)
  const kept = token ? HIDDEN : colon === -1 ? user : `${user}:${HIDDEN}`
  return `${space}${scheme}://${kept}@`
}
