/** Which reusable values are to be dropped (row C6), as the SDK has it. */
export type RefreshScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'function'; readonly name: string }
  | { readonly kind: 'params'; readonly name: string; readonly params: string }
  | { readonly kind: 'tag'; readonly tag: string }
