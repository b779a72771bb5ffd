/** A fault in one line: its message and those of its causes, as far as they say more. */
export function textOf(error: unknown): string {
  const parts: string[] = []
  for (let each = error; each !== undefined && parts.length < 5; each = causeOf(each)) {
    const text = each instanceof Error ? each.message : String(each)
    if (text !== '' && !parts.some((part) => part.includes(text))) parts.push(text)
  }
  return parts.join(': ')
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
