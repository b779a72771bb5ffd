import { ConfigError, faultText } from '@offstage/kit/config'

const NO_SDK = /Cannot find package '@offstage\//
const HOW_TO_INSTALL =
  'install the SDK where the module is: docs/guides/getting-started.md, "In a project of your own"'

/**
 * What kept the job modules from being loaded, as a fault of the setting that names them: `OFFSTAGE_JOBS`, or a flag.
 */
export function jobsFault(error: unknown, setting = 'OFFSTAGE_JOBS'): ConfigError {
  const text = faultText(error)
  const problem = NO_SDK.test(text) ? `${text}\n${HOW_TO_INSTALL}` : text
  return new ConfigError([{ variable: setting, problem: problem.replaceAll('\n', '\n    ') }])
}
