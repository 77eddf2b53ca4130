/** Some of the bytes of a file beside an entry, to be read and verified without the others. */
export interface Stretch {
  /** Where they begin and end. */
  readonly start: number
  readonly end: number
  /** Of these bytes, in hex. */
  readonly sha256: string
}

/** Neighbouring lines, as many as a page of changes may need. */
export interface Block extends Stretch {
  /** Empty ones do not count. */
  readonly lines: number
}

export interface BlockOfArtifacts extends Block {
  /** In the file of what they held before, their lines; absent if they held nothing. */
  readonly before?: Stretch
}
