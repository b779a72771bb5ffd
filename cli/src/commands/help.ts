import type { Command } from 'commander'
import { errorList, errorText, knownReasons } from './error-texts.ts'

/** `offstage help`: the help of a command, or what the reason of an error means. */
export function addHelp(program: Command): void {
  program.helpCommand(false)
  program
    .command('help')
    .description('the help of a command, or of an error: help errors JOB_KEY_TAKEN')
    .argument('[topic]', 'a command, or errors')
    .argument('[reason]', 'that of an error (default: a list of them)')
    .action((topic: string | undefined, reason: string | undefined) => {
      if (topic === 'errors') return showErrors(program, reason)
      const command = program.commands.find((each) => each.name() === topic)
      if (topic !== undefined && command === undefined) {
        program.error(`error: there is no command '${topic}'`)
      }
      return (command ?? program).outputHelp()
    })
}

function showErrors(program: Command, reason: string | undefined): void {
  const text = reason === undefined ? errorList() : errorText(reason.toUpperCase())
  if (text === undefined) {
    program.error(`error: there is no reason '${reason}'; known are ${knownReasons().join(', ')}`)
  }
  process.stdout.write(`${text}\n`)
}
