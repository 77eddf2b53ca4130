/** The header in which the function below says what was asked for. */
export const askedFor = 'x-asked-for'

/**
 * Code of a CloudFront function, in the JavaScript that runs at the edge. TUF clients ask for a target file by its hash
 * and name, `DIRECTORY/HASH.NAME` (tough: `SHA256.DIRECTORY/NAME`); the bucket holds it under its plain name. A `+` in a
 * path is a space to S3, and to nobody else. Without a name it stays as it is and is found nowhere: `/` alone would list the bucket.
 *
 * It runs before the edge looks into its cache, which by the plain name alone would have the file of yesterday for who asks by
 * the hash of today. So what was asked for goes along, and is part of the cache key.
 */
export const withoutPrefixAndHash = `function handler(event) {
  var request = event.request
  var path = request.uri.slice('/artifacts/'.length)
  var hash = /(^|\\/)(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})\\.(?=[^\\/]+$)|^[0-9a-f]{64}\\.(?=.)/
  if (path === '') return request
  request.headers['${askedFor}'] = { value: path }
  request.uri = '/' + path.replace(hash, '$1').replace(/\\+/g, '%2B')
  return request
}
`
