/** Names the queue of a method. Namespaces have no blanks. */
export function queueKey(namespace: string, method: string): string {
  return `${namespace} ${method}`
}
