/** Loaded into the service that `npm start` starts: it ends, in order, when the one who started it is gone. */
process.stdin.once('end', () => process.kill(process.pid, 'SIGTERM')).resume()
// It is not what the service lives for.
process.stdin.unref()
