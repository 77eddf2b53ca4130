import type { Code } from 'aws-cdk-lib/aws-lambda'

/** The code of the functions: what runs for requests, for the bell, and every minute. Each exports `handler` from `index.mjs`. */
export interface Handlers {
  readonly api: Code
  readonly publish: Code
  readonly refresh: Code
}
