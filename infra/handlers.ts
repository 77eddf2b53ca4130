import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Code } from 'aws-cdk-lib/aws-lambda'

/** The code of the functions: what runs for requests, for the bell, and every minute. Each exports `handler` from `index.mjs`. */
export interface Handlers {
  readonly api: Code
  readonly publish: Code
  readonly refresh: Code
}

/** The bundles that lie in the package beside this module. Throws in a checkout, where there are none: `bundle.ts` makes them. */
export function packagedHandlers(): Handlers {
  const code = (name: keyof Handlers) => {
    const directory = join(import.meta.dirname, '../handlers', name)
    if (existsSync(directory)) return Code.fromAsset(directory)
    throw new Error(`There is no bundle in ${directory}: give TufRepository its handlers.`)
  }
  return { api: code('api'), publish: code('publish'), refresh: code('refresh') }
}
