/** Class and frames of an error: its message may hold what is for those alone who may see the job. */
export function placeOf(detail: string): string {
  const [name = 'a value that is no Error'] = /^[\w$]+(?: \[\w+\])?(?=:|\n)/.exec(detail) ?? []
  return [name, ...detail.split('\n').filter((line) => /^\s+at /.test(line))].join('\n')
}
