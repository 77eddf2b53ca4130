import { Command, Option } from 'commander'
import { maximumDays } from '../../shared/repository/settings.ts'
import { binDelegations } from '../../shared/tuf/bins.ts'
import { collect, delegatedRole, keyNames, numberOfBins, wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import type { AddOptions, RemoveOptions, UpdateOptions } from '../delegation/change.ts'
import type { SignOptions } from '../delegation/sign.ts'
import { handsOf, type PasswordOption, passwordFd, trustedRoot, yes } from '../holder.ts'

export function delegationCommand(): Command {
  return new Command('delegation')
    .description('delegated roles with keys, thresholds and paths; metadata signed elsewhere')
    .addHelpText('after', '\nExample:\n  $ tuffet delegation add project --path "project/*" --key alice.pem.pub')
    .addCommand(addCommand())
    .addCommand(updateCommand())
    .addCommand(removeCommand())
    .addCommand(listCommand())
    .addCommand(signCommand())
    .addCommand(cancelCommand())
    .addCommand(uploadCommand())
    .addCommand(renewCommand())
}

function withRoleOptions(command: Command): Command {
  return command
    .argument('<role>', 'letters, digits, - and _', delegatedRole)
    .option('--path <pattern>', 'what it is trusted with; * and ? stay within one segment; repeatable', collect)
    .option('--key <key>', "a holder's key, best the public part; repeatable", collect)
    .option('--threshold <n>', 'signatures that its metadata needs', wholeNumber(1))
    .option('--terminating', 'who looks here for a path looks nowhere else')
    .option('--before <role>', 'clients ask it before this role; repeatable', collect)
    .option('--expiration <days>', 'days until its metadata expires', wholeNumber(1, maximumDays))
    .option('--remove-artifacts', 'remove artifacts that nobody would be trusted with, instead of refusing')
    .addOption(passwordFd())
}

function addCommand(): Command {
  return withRoleOptions(new Command('add'))
    .description('trust a role with paths; without --key the service signs it with its online key')
    .option('--bins <n>', 'hash bins inside it, a power of two, signed online', numberOfBins)
    .addOption(new Option('--bin-delegation <kind>', 'how it delegates to them').choices(binDelegations))
    .addHelpText(
      'after',
      `
Without --threshold one signature is enough; without --expiration its metadata lives 30 days.
A role with keys of its own is delegated to as soon as enough of its holders have signed it.

Examples:
  $ tuffet delegation add docs --path "docs/*" --path "docs/*/*"
  $ tuffet delegation add project --path "project/*" --key alice.pem.pub --key bob.pem.pub --threshold 2
  $ tuffet delegation add packages --path "packages/*" --bins 256 --before docs`,
    )
    .action(async (role: string, options: AddOptions & PasswordOption, command: Command) => {
      const { addRole } = await import('../delegation/change.ts')
      await addRole(role, options, handsOf(command, options))
    })
}

function updateCommand(): Command {
  return withRoleOptions(new Command('update'))
    .description('change a role; whatever is not said stays as it is')
    .option('--no-terminating', 'clients look further after this role')
    .option('--online', 'the service signs it from now on')
    .addHelpText(
      'after',
      `
--path and --key take the place of all that the role has of them.

Example:
  $ tuffet delegation update project --key alice.pem.pub --key dave.pem.pub`,
    )
    .action(async (role: string, options: UpdateOptions & PasswordOption, command: Command) => {
      const { updateRole } = await import('../delegation/change.ts')
      await updateRole(role, options, handsOf(command, options))
    })
}

function removeCommand(): Command {
  return new Command('remove')
    .description('trust roles no more; refused while they hold artifacts, unless those may go with them')
    .argument('<role...>')
    .option('--remove-artifacts', 'remove their artifacts with them')
    .addHelpText('after', '\nExample:\n  $ tuffet delegation remove project')
    .action(async (roles: string[], options: RemoveOptions, command: Command) => {
      const { removeRoles } = await import('../delegation/change.ts')
      await removeRoles(roles, options, handsOf(command, {}))
    })
}

function listCommand(): Command {
  return new Command('list')
    .description('targets and the roles below it: keys, thresholds, expiry, who signs, what waits for signatures')
    .addHelpText('after', '\nExample:\n  $ tuffet delegation list')
    .action(async (_options: unknown, command: Command) => {
      const { listRoles } = await import('../delegation/list.ts')
      await listRoles(contextOf(command))
    })
}

function signCommand(): Command {
  return new Command('sign')
    .description(
      'see what the metadata of a role that waits says, and sign it; targets too, where it is signed offline',
    )
    .argument('<role>')
    .option('--key <key>', 'your private key; repeatable', collect)
    .addOption(passwordFd())
    .addOption(trustedRoot())
    .addOption(yes())
    .addHelpText('after', `\n${keyNames}\n\nExample:\n  $ tuffet delegation sign project --key alice.pem`)
    .action(async (role: string, options: SignOptions & PasswordOption, command: Command) => {
      const { signRole } = await import('../delegation/sign.ts')
      await signRole(role, options, handsOf(command, options))
    })
}

function cancelCommand(): Command {
  return new Command('cancel')
    .description('give up what waits of a role, and all that was asked for with it')
    .argument('<role>')
    .addOption(yes())
    .addHelpText('after', '\nExample:\n  $ tuffet delegation cancel project')
    .action(async (role: string, options: { readonly yes?: boolean }, command: Command) => {
      const { cancelRole } = await import('../delegation/sign.ts')
      await cancelRole(role, options, handsOf(command, {}))
    })
}

function uploadCommand(): Command {
  return new Command('upload')
    .description('publish metadata of a role that its holders made and signed themselves')
    .argument('<file>', 'named like project.json or 3.project.json, unless --role says whose it is')
    .option('--role <name>', 'the role')
    .addHelpText('after', '\nExample:\n  $ tuffet delegation upload 12.project.json')
    .action(async (file: string, options: { readonly role?: string }, command: Command) => {
      const { uploadMetadata } = await import('../delegation/upload.ts')
      await uploadMetadata(file, options, contextOf(command))
    })
}

function renewCommand(): Command {
  return new Command('renew')
    .description('have roles that are signed offline signed anew, before they expire')
    .argument('[role...]', 'such roles, targets too')
    .addHelpText(
      'after',
      `
Each stays as it is and lives longer, once its holders have signed: tuffet delegation sign <role>.
Without a role: what the service signs below roles that are signed offline gets the online keys that a new root brought.

Examples:
  $ tuffet delegation renew project
  $ tuffet delegation renew targets`,
    )
    .action(async (roles: string[], _options: unknown, command: Command) => {
      const { renewRoles } = await import('../delegation/renew.ts')
      await renewRoles(roles, contextOf(command))
    })
}
