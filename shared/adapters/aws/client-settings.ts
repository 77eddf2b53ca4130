/**
 * What every SDK client is made with. Region, endpoint, credentials and the number of attempts come from the
 * environment (https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html), so a client is the same
 * anywhere. Only patience has to be said here: by default the SDK waits for a silent socket without end.
 */
export const clientSettings = {
  requestHandler: {
    /** Milliseconds until a connection must stand. */
    connectionTimeout: 2_000,
    /** Milliseconds that a connection may be silent, before an answer or in the middle of one. */
    socketTimeout: 5_000,
    /** More than `Limits.parallel`, or requests queue up in the client while their own clocks run. */
    httpAgent: { maxSockets: 128 },
    httpsAgent: { maxSockets: 128 },
  },
}
