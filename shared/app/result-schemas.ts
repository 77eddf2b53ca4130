import * as z from 'zod'
import { bulkFormats } from '../repository/bulk/bulk.ts'
import { binDelegations } from '../tuf/bins.ts'
import { untouchedObject } from './schemas.ts'

/** What the API answers, for the OpenAPI document and for the tests that hold the answers to it. */

const time = z.iso.datetime({ offset: true })
const taskId = z.string().regex(/^[0-9a-f]{32}$/)
const commitNumber = z.int().min(1)
const role = z.string()
const answerOf = <Data extends z.ZodType>(data: Data) => z.object({ data, message: z.string() })

export const accepted = answerOf(z.object({ task_id: taskId, last_update: time })).meta({ id: 'Accepted' })
export const acceptedArtifacts = answerOf(
  z.object({ artifacts: z.array(z.string()), task_id: taskId, last_update: time }),
).meta({ id: 'AcceptedArtifacts' })

const taskState = z.enum(['PENDING', 'SUCCESS', 'ERRORED', 'FAILURE'])

const taskResult = z.object({
  task: z.string().optional(),
  status: z.boolean(),
  message: z.string(),
  error: z.string().optional(),
  last_update: time,
  details: z.record(z.string(), z.unknown()),
})

export const task = answerOf(
  z.object({
    task_id: taskId,
    state: taskState.describe('SUCCESS: done and visible. ERRORED: refused. FAILURE: the service broke.'),
    result: taskResult.optional(),
  }),
).meta({ id: 'Task' })

const importId = z.string().regex(/^[0-9a-f]{64}$/)

export const begunImport = answerOf(
  z.object({
    import_id: importId,
    upload: z
      .object({
        method: z.literal('PUT'),
        url: z.string().describe('If it begins with a `/` it is one of this service, and takes the same credentials.'),
        headers: z.record(z.string(), z.string()).describe('To be sent with it as they are.'),
      })
      .describe('The request that uploads the file, as its body; not encoded in any way. Once, within an hour.'),
  }),
).meta({ id: 'BegunImport' })

export const importStanding = answerOf(
  z.object({
    import_id: importId,
    format: z.enum(bulkFormats),
    begun: time,
    task_id: taskId.optional().describe('Absent until it is submitted.'),
    state: taskState.optional(),
    result: taskResult.optional(),
    progress: z
      .object({
        phase: z.enum(['waiting', 'reading', 'preparing', 'committing']),
        done: z.int().describe('Lines while reading, roles while preparing.'),
        total: z.int(),
      })
      .optional()
      .describe('While the task is not finished.'),
  }),
).meta({ id: 'Import' })

export const bootstrap = answerOf(
  z.object({
    bootstrap: z.boolean(),
    state: z.enum(['pre', 'signing', 'finished']).optional(),
    id: taskId.optional(),
  }),
).meta({ id: 'Bootstrap' })

export const pending = z
  .object({
    data: z
      .object({
        metadata: z
          .record(z.string(), untouchedObject('A whole metadata file.'))
          .describe(
            'By role; and `trusted_root` or `trusted_targets`, to compare it with. Sign the canonical JSON of `signed`.',
          ),
      })
      .optional(),
    message: z.string(),
  })
  .meta({ id: 'Pending' })

export const config = answerOf(z.record(z.string(), z.unknown())).meta({ id: 'Config' })

const key = z.object({ keytype: z.string(), scheme: z.string(), keyval: z.object({ public: z.string() }) })

export const keys = answerOf(
  z.object({
    keys: z.record(z.string(), key).describe('By keyid: all that the service holds.'),
    roles: z
      .record(z.string(), z.object({ keyids: z.array(z.string()), threshold: z.int() }))
      .describe('What signs targets, snapshot and timestamp; before the bootstrap, what a ceremony is to put there.'),
  }),
).meta({ id: 'Keys' })

const info = z.looseObject({
  length: z.int().describe('Fields of its own that holders gave a target come beside these.'),
  hashes: z.record(z.string(), z.string()),
  custom: untouchedObject('As it was sent.').optional(),
})

export const artifact = answerOf(
  z.object({
    path: z.string(),
    role,
    info,
    commit: commitNumber.optional().describe('That last changed it.'),
    imports: z
      .array(commitNumber)
      .optional()
      .describe(
        'Where that is not known: those that imported files or took back many targets, any of which may have changed it last.',
      ),
  }),
).meta({ id: 'Artifact' })

export const parked = answerOf(
  z.object({
    artifacts: z.array(
      z.object({
        path: z.string(),
        info: info.optional().describe('Absent: it is to be removed.'),
        task_id: taskId,
        principal: z.string(),
      }),
    ),
    total: z.int(),
  }),
).meta({ id: 'Parked' })

const commitTask = z.object({
  task_id: taskId,
  task: z.string().optional(),
  state: taskState,
  principal: z.string(),
  error: z.string().optional(),
})

export const commits = answerOf(
  z.object({
    commits: z.array(
      z.object({
        number: commitNumber,
        time,
        tasks: z.array(commitTask),
        changes: z.int().describe('How many targets.'),
      }),
    ),
    next: commitNumber.optional().describe('`newest` of the next page; absent on the last.'),
  }),
).meta({ id: 'Commits' })

const change = z.object({
  path: z.string(),
  before: info.optional().describe('Absent: it was not there.'),
  after: info.optional().describe('Absent: it was removed.'),
})
const nextChanges = z.int().optional().describe('`offset` of the next page of changes; absent on the last.')

export const commit = answerOf(
  z.object({
    number: commitNumber,
    time,
    base: z.object({ number: z.int(), sha256: z.string() }),
    tasks: z.array(commitTask),
    changes: z.array(change.extend({ role })),
    next: nextChanges,
    imported: z
      .object({ artifacts: z.int(), sha256: z.string() })
      .optional()
      .describe('A file whose artifacts it added, beside the changes: how many, and the hash of the file.'),
    listed: z
      .object({ changes: z.int() })
      .optional()
      .describe('How many targets it took back, beside the changes, where these are too many to be told here.'),
    creates: z.array(z.string()),
    supersedes: z.array(z.string()),
  }),
).meta({ id: 'Commit' })

export const commitChanges = answerOf(
  z.object({
    changes: z.array(change.extend({ role: role.optional().describe('Absent where the change came with a file.') })),
    next: nextChanges,
  }),
).meta({ id: 'CommitChanges' })

const keyids = z.array(z.string())
export const awaitedSignatures = z
  .array(
    z.object({
      role,
      version: z.int(),
      expires: time,
      groups: z
        .array(z.object({ threshold: z.int(), signed: keyids, unsigned: keyids }))
        .describe('Each has to reach its threshold; a root has its own holders, and those of the one before.'),
    }),
  )
  .describe('Metadata that waits for its holders.')

const signers = {
  keyids,
  threshold: z.int(),
  online: z.boolean().describe('Whether the service signs this itself; otherwise only its holders can.'),
}

export const delegations = answerOf(
  z.object({
    roles: z
      .array(
        z.object({
          name: role,
          ...signers,
          paths: z.array(z.string()).optional().describe('Absent for targets.'),
          terminating: z.boolean().optional(),
          version: z.int(),
          expires: time,
          expiration: z.int().describe('Days that it lives when it is signed anew.'),
          targets: z.int().describe('How many it holds itself.'),
          bins: z
            .object({ number: z.int(), delegation: z.enum(binDelegations), ...signers, expires: time.optional() })
            .optional()
            .describe('The hash bins below it; `expires` is that of the first.'),
        }),
      )
      .describe('Targets, and the roles below it in the order in which clients ask them.'),
    keys: z.record(z.string(), key).describe('By keyid.'),
    awaited_signatures: awaitedSignatures,
  }),
).meta({ id: 'Delegations' })

export const status = answerOf(
  z.object({
    bootstrap: z.object({ state: z.string().optional(), id: taskId.optional() }),
    tasks: z.object({
      waiting: z.int(),
      more: z.boolean().describe('There are more than were counted.'),
      oldest: time.optional(),
    }),
    awaited_signatures: awaitedSignatures,
    troubles: z
      .array(z.object({ code: z.string().optional(), message: z.string() }))
      .optional()
      .describe('What keeps the service from publishing, or from long work such as imports. In embedded mode only.'),
    commit: z.object({ number: commitNumber, time, head: z.string().describe('SHA-256 of its entry.') }).optional(),
    versions: z.record(z.string(), z.int()).optional(),
    parked: z.int().optional(),
    bins: z.object({ number: z.int(), delegation: z.enum(binDelegations) }).optional(),
    expires: z.array(z.object({ role, version: z.int(), signed: time.optional(), expires: time })).optional(),
    signed_offline: z
      .array(z.object({ role, version: z.int(), expires: time }))
      .optional()
      .describe('Roles that only their holders can sign anew.'),
    to_renew: z
      .array(z.object({ role, version: z.int(), expires: time }))
      .optional()
      .describe('Those of them, and the root, that expire soon: in 90 days, or when a quarter of their life is left.'),
    keys_not_held: z
      .array(z.object({ role, keyids: z.array(z.string()), threshold: z.int() }))
      .optional()
      .describe(
        'Online roles that the service holds too few keys for, `bins` for all hash bins: they stay as they are.',
      ),
    removed_keys_trusted: z
      .array(z.object({ role, keyids: z.array(z.string()) }))
      .optional()
      .describe('Roles that trust keys still which a root has taken from the service, such as `bins-*` for hash bins.'),
    clients: z
      .object({ served: z.array(z.string()), warnings: z.array(z.string()) })
      .optional()
      .describe('The TUF clients that the deployment serves, and what some of them cannot read, or soon cannot.'),
    rotation: z
      .object({ compromised: z.boolean(), ends: time.optional().describe('When the old keys stop signing.') })
      .optional()
      .describe('A change of online keys under way.'),
    survives_seconds: z.int().optional().describe('How long clients could go on if the service stopped now.'),
  }),
).meta({ id: 'Status' })
