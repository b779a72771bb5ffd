/** Frames of Offstage's own code tell nobody what is wrong with theirs: they are cut from stacks that people read. */

/** Where the SDK is, and what it calls through. */
const SDK = pathsOf(new URL('..', import.meta.url))
const GRPC = '/node_modules/@grpc/'
/** Between the frames of asynchronous functions. */
const QUEUES = 'node:internal/process/task_queues'

/**
 * The paths as frames have them: of modules as URLs, of others as they are. Where Node reads source maps, those of a
 * package name its sources, which lay in `src`.
 */
export function pathsOf({ pathname }: URL): readonly string[] {
  const source = pathname.replace(/(.*)\/dist\//, '$1/src/')
  return [...new Set([pathname, source].flatMap((path) => [path, decodeURIComponent(path)]))]
}

/**
 * A stack without frames of the SDK, of gRPC, and of files whose path contains one of `own`; nor with those of Node that
 * would then be its last.
 */
export function withoutOwnFrames(stack: string, own: readonly string[] = []): string {
  const cut = [...SDK, GRPC, QUEUES, ...own]
  const isOwn = (line: string) => isFrame(line) && cut.some((path) => line.includes(path))
  const lines = stack.split('\n').filter((line) => !isOwn(line))
  while (isFrame(lines.at(-1)) && lines.at(-1)?.includes('node:internal/')) lines.pop()
  return lines.join('\n')
}

/** Whether a frame is of the SDK, or of files whose path contains one of `own`. */
export function isOwnFrame(line: string, own: readonly string[] = []): boolean {
  return [...SDK, ...own].some((path) => line.includes(path))
}

function isFrame(line: string | undefined): boolean {
  return line !== undefined && /^\s+at /.test(line)
}
