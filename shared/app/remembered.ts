/** A value that is made when it is first asked for, and again after it failed or was forgotten. */
export interface Remembered<Value> {
  (): Promise<Value>
  forget(): void
}

export function remembered<Value>(make: () => Promise<Value>): Remembered<Value> {
  let made: Promise<Value> | undefined
  const forget = () => {
    made = undefined
  }
  const get = () => {
    made ??= make().catch((error: unknown) => {
      forget()
      throw error
    })
    return made
  }
  return Object.assign(get, { forget })
}
