import { fileURLToPath } from 'node:url'
import {
  asyncBufferFromFile,
  type DecodedArray,
  parquetMetadataAsync,
  parquetRead,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/**
 * The flights the report is about: `data/flights-3m.parquet` of the npm package vega-datasets, from the
 * on-time records of the U.S. Bureau of Transportation Statistics, sorted by departure.
 *
 * What its columns mean, by the script that made the file (vega-datasets, `scripts/flights.py`):
 * `date` is the actual departure, in the airport's local time; `origin` the airport; `delay` whole
 * minutes, negative when early. Cancelled flights and those without a delay were left out, and there are no nulls.
 * The one delay it keeps is that on arrival: the report says how late flights leaving an airport came in.
 */
export const FLIGHTS = fileURLToPath(
  new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')),
)

/** Some flights, column by column: index `i` of each is one flight. */
export interface Flights {
  readonly origin: ArrayLike<string>
  readonly departure: ArrayLike<Date>
  readonly delayMinutes: ArrayLike<bigint>
}

/** How many row groups the file has: each can be read on its own. */
export async function countRowGroups(): Promise<number> {
  const file = await asyncBufferFromFile(FLIGHTS)
  const metadata = await parquetMetadataAsync(file)
  return metadata.row_groups.length
}

/** Reads one row group, and of it only the columns the report needs. Throws RangeError where there is none. */
export async function readRowGroup(rowGroup: number): Promise<Flights> {
  const file = await asyncBufferFromFile(FLIGHTS)
  const metadata = await parquetMetadataAsync(file)
  const sizes = metadata.row_groups.map((group) => Number(group.num_rows))
  const size = sizes[rowGroup]
  if (size === undefined) {
    throw new RangeError(`there is no row group ${rowGroup}: the file has ${sizes.length}`)
  }
  const rowStart = sizes.slice(0, rowGroup).reduce((sum, rows) => sum + rows, 0)
  const chunks = new Map<string, DecodedArray>()
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: ['origin', 'date', 'delay'],
    rowStart,
    rowEnd: rowStart + size,
    onChunk: ({ columnName, columnData }) => {
      chunks.set(columnName, columnData)
    },
  })
  return {
    origin: columnOf(chunks, 'origin', size),
    departure: columnOf(chunks, 'date', size),
    delayMinutes: columnOf(chunks, 'delay', size),
  }
}

/** A column comes as one chunk per row group; anything else is a file of another shape. */
function columnOf<T>(
  chunks: ReadonlyMap<string, DecodedArray>,
  name: string,
  size: number,
): ArrayLike<T> {
  const column = chunks.get(name)
  if (column?.length !== size) {
    throw new Error(`column ${name}: ${column?.length ?? 'no'} values, but ${size} rows`)
  }
  return column as ArrayLike<T>
}
