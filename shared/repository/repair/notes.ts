/** What a repair finds, for people. */
export interface Notes {
  /** What it does. */
  readonly steps: string[]
  /** What cannot be brought back, and what to do about it. */
  readonly lost: string[]
  /** Why it does nothing at all. */
  readonly blocked: string[]
}
