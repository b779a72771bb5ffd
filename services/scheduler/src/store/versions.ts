/** SQL: whether an executor `e` announces the version of the method that is required; an empty one is not. */
export const announcesVersion = (method: string, version: string) =>
  `(${version}::text = '' OR coalesce(e.versions->>${method}::text = ${version}::text, false))`
