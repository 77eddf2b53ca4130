/**
 * Where bulk files arrive: an object `bulk/<id>` of the state store, written by a client of ours and not by us. Too large
 * to go through a function, or through memory.
 */

export const maximumBulkBytes = 512 * 1024 * 1024

export const bulkName = (id: string) => `bulk/${id}`

/** What a client says beforehand of what it is going to send; what arrives is held to it. */
export interface Announced {
  readonly bytes?: number
  /** In lower-case hex. */
  readonly sha256?: string
}

/** The request that uploads a file. */
export interface UploadAddress {
  readonly method: 'PUT'
  /** Absolute, or beginning with a `/`: then it is one of this very service. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface Arrived {
  readonly bytes: number
  /** In lower-case hex. */
  readonly sha256: string
}

export interface Uploads {
  /** Where to send `bulk/<id>`. What has arrived whole is never replaced. */
  address(id: string, announced: Announced): Promise<UploadAddress>
  /** What has arrived, whole and durable; nothing if there is nothing. Of a file that is too large, its hash is not told. */
  arrived(id: string): Promise<Arrived | undefined>
}
