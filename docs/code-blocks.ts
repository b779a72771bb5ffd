import { readFile } from 'node:fs/promises'

const root = new URL('..', import.meta.url)

export interface CodeBlock {
  readonly language: string
  readonly code: string
}

/** The code blocks of a document, named from the root of the checkout, in order. */
export async function allBlocksOf(file: string): Promise<CodeBlock[]> {
  const text = await readFile(new URL(file, root), 'utf8')
  const blocks = text.matchAll(/^```(\w*)\n(.*?)^```$/gms)
  return [...blocks].map(([, language = '', code = '']) => ({ language, code }))
}

/** Those of one language. */
export async function blocksOf(file: string, language: string): Promise<string[]> {
  const blocks = await allBlocksOf(file)
  return blocks.filter((each) => each.language === language).map(({ code }) => code)
}
