/** What caches may keep of a metadata file: for good where its version is in its name; else they may keep it, and ask each time. */
export function cacheControl(name: string): string {
  return /^\d+\./.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache'
}
