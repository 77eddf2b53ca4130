import { createHash } from 'node:crypto'
import type { Emulator } from './emulator.ts'

let users = 0

/** Makes a user whose policy has these statements, and returns what to set in the environment to be that user. */
export async function makeUser(emulator: Emulator, Statement: readonly object[]): Promise<Record<string, string>> {
  const UserName = `user-${users++}`
  const PolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement })
  await iam(emulator, { Action: 'CreateUser', UserName })
  await iam(emulator, { Action: 'PutUserPolicy', UserName, PolicyName: 'policy', PolicyDocument })
  const keys = await iam(emulator, { Action: 'CreateAccessKey', UserName })
  const field = (name: string) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(keys)?.[1] ?? ''
  return {
    ...emulator.environment,
    AWS_ACCESS_KEY_ID: field('AccessKeyId'),
    AWS_SECRET_ACCESS_KEY: field('SecretAccessKey'),
  }
}

/**
 * Calls IAM as root, whose signature ministack never checks: this saves a client that nothing else needs. Returns the
 * XML.
 */
async function iam({ endpoint }: Emulator, parameters: Record<string, string>): Promise<string> {
  const body = new URLSearchParams({ ...parameters, Version: '2010-05-08' }).toString()
  const scope = 'test/20260101/us-east-1/iam/aws4_request'
  const signature = createHash('sha256').update(body).digest('hex')
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`,
      'content-type': 'application/x-www-form-urlencoded',
      'x-amz-date': '20260101T000000Z',
    },
    body,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`IAM answered ${parameters['Action']} with ${answer.status}: ${text}`)
  return text
}
