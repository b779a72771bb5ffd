import { allBlocksOf } from '../../code-blocks.ts'
import { madeOnce } from './made-once.ts'

/** What fetches and generates, and does nothing else. */
const MAKES = /^(?:python3 -m venv|go install)/

/**
 * A page as one shell script.
 *
 * @param savedAs what the page asks to be saved, by the language of the block
 */
export async function scriptOf(
  page: string,
  savedAs: Readonly<Record<string, string>>,
): Promise<string> {
  const steps: string[] = []
  for (const { language, code } of await allBlocksOf(page)) {
    const file = savedAs[language]
    if (file !== undefined) steps.push(`cat > ${file} <<'END OF FILE'\n${code}END OF FILE\n`)
    if (language === 'sh') steps.push(MAKES.test(code) ? await madeOnce(code) : code)
  }
  return steps.join('\n')
}
