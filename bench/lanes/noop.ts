/** What a thread of piscina runs. */
export default function noop(): void {}
