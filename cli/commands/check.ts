import { Command } from 'commander'
import { contextOf } from '../context.ts'

export function checkCommand(): Command {
  return new Command('check')
    .description('is what is published a valid repository, and which clients can read it')
    .argument(
      '[where]',
      'a URL of metadata or of a service, s3://bucket, a data directory, or a directory of metadata (default: --metadata-url)',
    )
    .option('--clients', 'say which TUF clients can read it')
    .addHelpText('after', '\nExit code 4: something is missing, expired or not as it was signed.')
    .addHelpText('after', '\nExamples:\n  $ tuffet check\n  $ tuffet check ./tuffet-data --clients')
    .action(async (where: string | undefined, options: { clients?: boolean }, command: Command) => {
      // What verifies metadata: not for who asks for help.
      const { check } = await import('../check.ts')
      await check(where, options, contextOf(command))
    })
}
