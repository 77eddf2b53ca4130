import { Command, Option } from 'commander'
import type { ClientId } from '../../shared/repository/clients.ts'
import { type BinDelegation, binDelegations, maximumBins } from '../../shared/tuf/bins.ts'
import { clientList, collect, collectDays, type Days, keyNames, wholeNumber } from '../arguments.ts'
import type { Given } from '../ceremony/decisions.ts'
import type { CustomRole } from '../ceremony/payload.ts'
import { handsOf, type PasswordOption, passwordFd } from '../holder.ts'

interface CeremonyOptions extends PasswordOption {
  readonly config?: string
  readonly continue?: string
  readonly predecessor?: string
  readonly above?: number
  readonly expiration?: Days
  readonly bins?: number
  readonly delegation?: BinDelegation
  readonly role?: readonly string[]
  readonly threshold?: number
  readonly clients?: readonly ClientId[]
  readonly key?: readonly string[]
  readonly publicKey?: readonly string[]
  readonly targetsKey?: readonly string[]
  readonly targetsThreshold?: number
  readonly onlineKey?: readonly string[]
  readonly trial?: boolean
  readonly later?: boolean
  readonly yes?: boolean
  readonly out?: string
  readonly send?: boolean
}

export function ceremonyCommand(): Command {
  return new Command('ceremony')
    .description('decide what a repository is founded on, sign its first root, and send it')
    .option('--config <file>', 'read decisions from this JSON file; flags win over it')
    .option(
      '--expiration <role=days>',
      'days that metadata of root, targets, snapshot, timestamp or bins lives (defaults: see below); repeatable',
      collectDays,
    )
    .option('--bins <n>', 'number of hash bins, a power of two (default: 256)', wholeNumber(2, maximumBins))
    .addOption(
      new Option('--delegation <kind>', 'how targets delegates to hash bins (default: succinct_roles)').choices(
        binDelegations,
      ),
    )
    .option('--role <name=pattern,…>', 'a custom role instead of hash bins; repeatable', collect)
    .option('--threshold <n>', 'signatures that a root needs (default: 2)', wholeNumber(1))
    .option(
      '--clients <names>',
      'TUF clients to serve, with commas between them (default: of python-tuf, tuf-js and go-tuf those that follow the delegation)',
      clientList,
    )
    .option('--key <key>', 'a private root key, which signs now; repeatable', collect)
    .option('--public-key <key>', 'a public root key, whose holder signs later; repeatable', collect)
    .option('--targets-key <key>', 'a public key that signs targets, instead of the service; repeatable', collect)
    .option('--targets-threshold <n>', 'signatures that targets then needs (default: 1)', wholeNumber(1))
    .option(
      '--predecessor <where>',
      'a TUF repository that is to go on here: URL, s3://bucket or folder of its metadata; its root holders stay, and sign with --key',
    )
    .option(
      '--above <version>',
      'with --predecessor: leave version numbers up to this one to it, if it goes on until it moves (default: its highest)',
      wholeNumber(1),
    )
    .option('--online-key <keyid>', 'refuse other online keys than this; repeatable', collect)
    .addOption(passwordFd())
    .option('--trial', 'allow a threshold of 1')
    .option('--later', 'other holders sign later: save what there is')
    .option('--continue <payload>', 'sign a saved payload with --key')
    .option('-y, --yes', 'take every default, and confirm')
    .option('--out <file>', 'where the payload goes (default: payload.json, or nowhere with --send)')
    .option('--send', 'found the repository once there are enough signatures')
    .addHelpText('after', help)
    .action(async (options: CeremonyOptions, command: Command) => {
      // Schemas and a TUF client: not for who asks for help.
      const { merge, parseRole, readConfig } = await import('../ceremony/decisions.ts')
      const { beginCeremony, continueCeremony } = await import('../ceremony/hold.ts')
      const hands = handsOf(command, options)
      const course = {
        assumeDefaults: options.yes ?? false,
        trial: options.trial ?? false,
        later: options.later ?? false,
        send: options.send ?? false,
        out: options.out,
      }
      const flags = givenByFlags(options, options.role?.map(parseRole))
      if (options.continue !== undefined) await continueCeremony(options.continue, flags, course, hands)
      else await beginCeremony(merge(flags, options.config ? await readConfig(options.config) : {}), course, hands)
    })
}

function givenByFlags(options: CeremonyOptions, roles: readonly CustomRole[] | undefined): Given {
  return {
    expiration: options.expiration,
    bins: { number: options.bins, delegation: options.delegation },
    roles,
    threshold: options.threshold,
    clients: options.clients,
    rootKeys: [
      ...(options.key ?? []).map((key) => ({ key })),
      ...(options.publicKey ?? []).map((publicKey) => ({ publicKey })),
    ],
    targets: { keys: options.targetsKey, threshold: options.targetsThreshold },
    onlineKeys: options.onlineKey,
    predecessor: options.predecessor,
    above: options.above,
  }
}

const help = `
On a terminal it asks for what is not given. The config file holds the same; these are the defaults:
  {"expiration": {"root": 365, "targets": 90, "snapshot": 7, "timestamp": 1, "bins": 30},
   "bins": {"number": 256, "delegation": "succinct_roles"},
   "threshold": 2,
   "clients": ["python-tuf", "tuf-js", "go-tuf"],
   "rootKeys": [{"key": "alice.pem"}, {"publicKey": "bob.pem.pub"}],
   "onlineKeys": ["<keyid>"]}
with "roles": [{"name": "docs", "paths": ["docs/*"]}] instead of "bins" for custom roles, and with
"targets": {"keys": ["dave.pem.pub", "erin.pem.pub"], "threshold": 2} where people sign targets, and not the service (PEP 458).

${keyNames}

Examples:
  $ tuffet ceremony --send
  $ tuffet ceremony --key alice.pem --public-key bob.pem.pub --later --out payload.json
  $ tuffet ceremony --key kms:alias/root --key alice.pem --send
  $ tuffet ceremony --continue payload.json --key bob.pem --send
  $ tuffet ceremony --predecessor https://tuf.example.com/metadata/ --key alice.pem --later`
