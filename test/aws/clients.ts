import type { KMSClientConfig } from '@aws-sdk/client-kms'
import type { Emulator } from './emulator.ts'

/**
 * The configuration of a client for this emulator, or a proxy in front of it, without a word in the environment: a test
 * may have several. It loses patience soon, so that a test of silence does not take long.
 */
export function clientConfig({ endpoint, environment }: Pick<Emulator, 'endpoint' | 'environment'>) {
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_REGION = '' } = environment
  return {
    endpoint,
    region: AWS_REGION,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    requestHandler: { socketTimeout: 1_000, httpAgent: { maxSockets: 128 } },
  } satisfies KMSClientConfig
}
