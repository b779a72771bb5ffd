/** Places in temp storage of the form it gives them, which a test can tell apart. */
export const addressOf = (name: string | number) => `val_${digitsOf(name)}`
export const scopeOf = (name: string | number) => `scp_${digitsOf(name)}`

function digitsOf(name: string | number): string {
  return Buffer.from(String(name)).toString('hex').padStart(32, '0')
}
