import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { s3ObjectStore } from '../../shared/adapters/aws/s3-object-store.ts'
import type { ObjectStore } from '../../shared/repository/ports.ts'
import { clientConfig } from './clients.ts'
import type { Emulator } from './emulator.ts'

export const bucket = 'tuffet-test'

export function s3ClientFor(emulator: Pick<Emulator, 'endpoint' | 'environment'>): S3Client {
  return new S3Client({ ...clientConfig(emulator), forcePathStyle: true })
}

let stores = 0

/** Makes a bucket, and fresh stores in it, each below a prefix of its own. */
export async function storesIn(client: S3Client): Promise<() => ObjectStore> {
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  return () => s3ObjectStore({ bucket, prefix: `${stores++}/` }, client)
}
