/** What a process of handlers is started with: no more than it is known to need. */

/** Of the environment: what programs need, and nobody keeps secrets in. */
const ENVIRONMENT = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'NODE_ENV']
/** What is not for two processes at once, is set anew, or brings an environment along. */
const OWN_ARGUMENT = /^--(inspect|debug|max-old-space-size|max-semi-space-size|env-file)/
/** Of those, whose value may be the next argument. */
const WITH_VALUE = /^--(env-file|env-file-if-exists|inspect-port|debug-port)$/

/** @param names of variables beside the usual ones */
export function processEnvironment(
  names: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv {
  const given = [...ENVIRONMENT, ...names].map((name) => [name, env[name]] as const)
  return Object.fromEntries(given.filter(([, value]) => value !== undefined))
}

/** Those of the executor, such as `--import`, by which its modules can be loaded. */
export function processArguments(
  memoryBytesMax: number | undefined,
  execArgv: readonly string[] = process.execArgv,
): string[] {
  const inherited = execArgv.filter(
    (argument, at) => !OWN_ARGUMENT.test(argument) && !WITH_VALUE.test(execArgv[at - 1] ?? ''),
  )
  if (memoryBytesMax === undefined) return inherited
  return [...inherited, `--max-old-space-size=${Math.ceil(memoryBytesMax / 2 ** 20)}`]
}
