import { Command } from 'commander'
import { maximumDays } from '../../shared/repository/settings.ts'
import { collect, keyNames, wholeNumber } from '../arguments.ts'
import { contextOf } from '../context.ts'
import { handsOf, type PasswordOption, passwordFd, trustedRoot, yes } from '../holder.ts'
import type { SendOptions } from '../root/send.ts'
import type { SignOptions } from '../root/sign.ts'
import type { StatusOptions } from '../root/standing.ts'
import type { UpdateOptions } from '../root/update.ts'

export function rootCommand(): Command {
  return new Command('root')
    .description('change root keys, threshold, expiry or online keys; add a signature; see who is missing')
    .addHelpText('after', '\nExample:\n  $ tuffet root update --key alice.pem\n  $ tuffet root sign --key bob.pem')
    .addCommand(updateCommand())
    .addCommand(signCommand())
    .addCommand(sendCommand())
    .addCommand(statusCommand())
    .addCommand(cancelCommand())
}

function updateCommand(): Command {
  return new Command('update')
    .description('make the next root, sign it with the keys at hand, and submit it')
    .option('--expiration <days>', 'days until it expires (default: as the settings say)', wholeNumber(1, maximumDays))
    .option('--threshold <n>', 'signatures that a root needs from now on', wholeNumber(1))
    .option('--add-key <key>', 'a new holder, by public key; repeatable', collect)
    .option('--remove-key <keyid>', 'a holder who leaves; the first digits are enough; repeatable', collect)
    .option('--add-targets-key <key>', 'a new holder of targets, where that is signed offline; repeatable', collect)
    .option('--remove-targets-key <keyid>', 'a holder of targets who leaves; repeatable', collect)
    .option('--targets-threshold <n>', 'signatures that targets needs from now on', wholeNumber(1))
    .option(
      '--online-key <keyid>',
      'what the service signs with from now on, of the keys it holds; repeatable',
      collect,
    )
    .option('--compromised', 'the online keys that go are in the wrong hands: they stop signing at once')
    .option('--key <key>', 'a private root key, which signs now; repeatable', collect)
    .addOption(passwordFd())
    .addOption(trustedRoot())
    .option('--out <file>', 'save the payload, and send nothing')
    .addOption(yes())
    .addHelpText(
      'after',
      `
Whatever is not said stays as it is; the expiry is always renewed. A root needs the signatures of enough of its holders, and
of enough of those of the root before. Those that are not there now are added later: tuffet root sign.

${keyNames}

Examples:
  $ tuffet root update --key alice.pem --key bob.pem
  $ tuffet root update --add-key dave.pem.pub --remove-key 4ecca1 --key alice.pem
  $ tuffet root update --online-key <keyid> --key alice.pem`,
    )
    .action(async (options: UpdateOptions & PasswordOption, command: Command) => {
      const { updateRoot } = await import('../root/update.ts')
      await updateRoot(options, handsOf(command, options))
    })
}

function signCommand(): Command {
  return new Command('sign')
    .description('see what the root that waits would change, and add one signature')
    .option('--key <key>', 'your private root key')
    .addOption(passwordFd())
    .option('--in <file>', 'a root that was saved (tuffet root update --out), instead of the one that the service has')
    .option('--out <file>', 'where to save it, signed (default: the same file)')
    .addOption(trustedRoot())
    .addOption(yes())
    .addHelpText(
      'after',
      `
With --in the service is not asked, and nothing is sent. With --root, which then is the root before it, no network is needed.

${keyNames}

Examples:
  $ tuffet root sign --key bob.pem
  $ tuffet root sign --in root-4.json --root 3.root.json --key bob.pem`,
    )
    .action(async (options: SignOptions & PasswordOption, command: Command) => {
      const { signRoot } = await import('../root/sign.ts')
      await signRoot(options, handsOf(command, options))
    })
}

function sendCommand(): Command {
  return new Command('send')
    .description('submit a root that was saved and signed in a file')
    .argument('<file>', 'what tuffet root update --out and tuffet root sign --in saved')
    .addOption(trustedRoot())
    .addOption(yes())
    .addHelpText('after', '\nExample:\n  $ tuffet root send root-4.json')
    .action(async (file: string, options: SendOptions, command: Command) => {
      const { sendRoot } = await import('../root/send.ts')
      await sendRoot(file, options, handsOf(command, {}))
    })
}

function statusCommand(): Command {
  return new Command('status')
    .description('the current root, and of the one that waits: what it changes, who has signed, who is missing')
    .addOption(trustedRoot())
    .addHelpText('after', '\nExample:\n  $ tuffet root status')
    .action(async (options: StatusOptions, command: Command) => {
      const { showRoot } = await import('../root/standing.ts')
      await showRoot(options, contextOf(command))
    })
}

function cancelCommand(): Command {
  return new Command('cancel')
    .description('give up the root that waits for signatures')
    .addOption(trustedRoot())
    .addOption(yes())
    .addHelpText('after', '\nExample:\n  $ tuffet root cancel')
    .action(async (options: StatusOptions & { readonly yes?: boolean }, command: Command) => {
      const { cancelRoot } = await import('../root/standing.ts')
      await cancelRoot(options, handsOf(command, {}))
    })
}
