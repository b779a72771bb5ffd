/** Work in parts that take a few milliseconds at most: whoever carries it out may let others have their turn between them. */
export type Steps<T> = Generator<void, T, void>
