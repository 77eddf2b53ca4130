/** Bytes that a request can have, 5 MiB; and a line of a file, which could be one. */
export const maximumRequestBytes = 5 * 1024 * 1024
