import assert from 'node:assert/strict'
import parse from 'parse-prometheus-text-format'

/** What a service tells Prometheus, read by a parser of its own. */
export interface Scrape {
  readonly contentType: string
  readonly text: string
  /** Of each metric its type. */
  readonly types: Readonly<Record<string, string>>
  /** Of the series with just these labels; undefined where there is none. */
  value(name: string, labels?: Readonly<Record<string, string>>): number | undefined
  /** How many series a metric has. */
  count(name: string): number
}

/** Asks for `/metrics` as Prometheus does that speaks the plain text format. */
export async function scrape(port: number): Promise<Scrape> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return scrapeOf(text, response.headers.get('content-type') ?? '')
}

export function scrapeOf(text: string, contentType = ''): Scrape {
  const families = parse(text)
  const of = (name: string) => families.find((family) => family.name === name)?.metrics ?? []
  return {
    contentType,
    text,
    types: Object.fromEntries(families.map(({ name, type }) => [name, type.toLowerCase()])),
    value(name, labels = {}) {
      const found = of(name).find((each) => isSame(each.labels ?? {}, labels))
      return found?.value === undefined ? undefined : Number(found.value)
    },
    count: (name) => of(name).length,
  }
}

function isSame(one: Readonly<Record<string, string>>, other: typeof one): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  )
}
