import { Stack, Validations } from 'aws-cdk-lib'
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'

/** Tells cdk-nag why a role or policy has the wildcards that are in these resources, and excuses no others. */
export function explainWildcards(construct: Construct, statements: readonly PolicyStatement[], reason: string): void {
  const stack = Stack.of(construct)
  const resources = new Set(
    statements.flatMap((statement) => statement.resources).map((arn) => asCdkNagWrites(stack.resolve(arn))),
  )
  for (const arn of resources) {
    if (arn.includes('*'))
      Validations.of(construct).acknowledge({ id: `AwsSolutions::AwsSolutions-IAM5[Resource::${arn}]`, reason })
  }
}

/** An ARN as text, in which references stand between angle brackets. */
function asCdkNagWrites(arn: unknown): string {
  if (typeof arn !== 'object' || arn === null) return String(arn)
  const [intrinsic, argument] = Object.entries(arn)[0] ?? []
  if (intrinsic === 'Fn::Join') {
    const [, parts] = argument as [string, readonly unknown[]]
    return parts.map(asCdkNagWrites).join('')
  }
  return `<${intrinsic === 'Fn::GetAtt' ? (argument as readonly string[]).join('.') : argument}>`
}
