import { readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cache, type Emulator, freePort, start, workDirectory } from './emulator.ts'

const credentials = { access: 'test', secret: 'testtest' }

/** Starts a second S3, of other people's making, over a directory that ends with it. */
export async function startVersitygw(): Promise<Emulator> {
  await using cleanup = new AsyncDisposableStack()
  const directory = cleanup.use(await workDirectory())
  const data = join(directory.path, 'data')
  await mkdir(data)
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const log = join(directory.path, 'versitygw.log')
  cleanup.use(
    await start({
      program: join(cache, 'bin/versitygw'),
      args: ['--port', `127.0.0.1:${port}`, 'posix', data],
      environment: { ROOT_ACCESS_KEY: credentials.access, ROOT_SECRET_KEY: credentials.secret, HOME: directory.path },
      ready: async () => (await fetch(endpoint)).status > 0,
      log,
    }),
  )
  const kept = cleanup.move()
  return {
    endpoint,
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: credentials.access,
      AWS_SECRET_ACCESS_KEY: credentials.secret,
    },
    log: () => readFileSync(log, 'utf8'),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
