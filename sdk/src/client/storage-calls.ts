/** Temp values (rows S1 to S4, L4). */
export interface StorageCalls {
  get<T = unknown>(address: string): Promise<T>
}
