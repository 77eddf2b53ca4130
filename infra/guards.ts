import { AnyPrincipal, Effect, type IPrincipal, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IBucket } from 'aws-cdk-lib/aws-s3'

/**
 * What the buckets themselves refuse, whoever asks: a function with a fault, an administrator with a shell, a thief with
 * a role. They hold until somebody changes the bucket's policy, which is a deliberate act that leaves a trace.
 */

/**
 * Objects of the state bucket that are replaced by compare-and-swap; all others there are only created, also what clients upload:
 * their address is signed for a put with `If-None-Match`.
 */
const replacedState = ['lease.json', 'bootstrap.json', 'collected.json', 'preparations/*']

/** Nothing travels in clear. */
export const overTlsOnly = (bucket: IBucket): PolicyStatement =>
  deny(['s3:*'], {
    sid: 'OverTlsOnly',
    resources: [bucket.bucketArn, bucket.arnForObjects('*')],
    conditions: { Bool: { 'aws:SecureTransport': 'false' } },
  })

/** What clients have once seen, and the way they find the next root by, can neither be overwritten nor taken away. */
export function metadataGuards(bucket: IBucket, options: { readonly conditionalWrites: boolean }): PolicyStatement[] {
  const timestamp = bucket.arnForObjects('metadata/timestamp.json')
  return [
    deny(['s3:DeleteObject', 's3:DeleteObjectVersion'], {
      sid: 'RootsAndTimestampStay',
      resources: [bucket.arnForObjects('metadata/*.root.json'), timestamp],
    }),
    ...(options.conditionalWrites
      ? [createOnly({ notResources: [timestamp] }), createOrReplace({ resources: [timestamp] })]
      : []),
  ]
}

/** The journal, tasks and private state are written once; the few objects that change, change by compare-and-swap. */
export function stateGuards(bucket: IBucket, options: { readonly conditionalWrites: boolean }): PolicyStatement[] {
  if (!options.conditionalWrites) return []
  const replaced = replacedState.map((name) => bucket.arnForObjects(name))
  return [createOnly({ notResources: replaced }), createOrReplace({ resources: replaced })]
}

/** Lets one distribution read, and list, so that what is missing is a 404 and not a 403 on which some clients fail. */
export function readableBy(distributionArn: string, bucket: IBucket): PolicyStatement[] {
  const principals = [new ServicePrincipal('cloudfront.amazonaws.com')]
  const conditions = { StringEquals: { 'AWS:SourceArn': distributionArn } }
  return [
    new PolicyStatement({
      sid: 'TheDistributionReads',
      principals,
      actions: ['s3:GetObject'],
      // There is nothing else in it; and where reading is not allowed, what is missing would be a 403 again.
      resources: [bucket.arnForObjects('*')],
      conditions,
    }),
    new PolicyStatement({
      sid: 'TheDistributionSeesWhatIsMissing',
      principals,
      actions: ['s3:ListBucket'],
      resources: [bucket.bucketArn],
      conditions,
    }),
  ]
}

type Objects = { readonly resources: string[] } | { readonly notResources: string[] }

const createOnly = (objects: Objects) =>
  deny(['s3:PutObject'], {
    sid: 'CreatedOnceOnly',
    ...objects,
    conditions: { Null: { 's3:if-none-match': 'true' } },
  })

const createOrReplace = (objects: Objects) =>
  deny(['s3:PutObject'], {
    sid: 'ReplacedByCompareAndSwapOnly',
    ...objects,
    conditions: { Null: { 's3:if-none-match': 'true', 's3:if-match': 'true' } },
  })

function deny(
  actions: string[],
  statement: Objects & { readonly sid: string; readonly conditions?: Record<string, unknown> },
): PolicyStatement {
  const principals: IPrincipal[] = [new AnyPrincipal()]
  return new PolicyStatement({ effect: Effect.DENY, principals, actions, ...statement })
}
