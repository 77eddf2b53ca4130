import type { BinDelegation } from '../tuf/bins.ts'
import type { Json } from '../tuf/json.ts'
import type { Key } from '../tuf/keys.ts'
import type { TargetFile } from '../tuf/metadata.ts'
import type { RoleName, TargetPath } from '../tuf/names.ts'
import type { Signature } from '../tuf/signed.ts'
import type { BulkFormat } from './bulk/bulk.ts'
import type { ClientId } from './clients.ts'
import type { Document } from './documents.ts'

/** What somebody asks the repository to do. The kinds have the names under which RSTUF reports them. */
export type TaskRequest =
  | BootstrapRequest
  | AddArtifactsRequest
  | RemoveArtifactsRequest
  | PublishArtifactsRequest
  | ImportArtifactsRequest
  | UpdateSettingsRequest
  | ChangeBinsRequest
  | ForceOnlineMetadataUpdateRequest
  | MetadataUpdateRequest
  | SignMetadataRequest
  | DeleteSignMetadataRequest
  | MetadataDelegationRequest
  | UploadDelegatedMetadataRequest
  | RevertRequest

export type TaskKind = TaskRequest['kind']
export type RequestOf<Kind extends TaskKind> = Extract<TaskRequest, { kind: Kind }>

export interface BootstrapRequest {
  readonly kind: 'bootstrap'
  /** A root's whole file, as JSON: what was signed must survive to the byte. */
  readonly root: Json
  /**
   * The first metadata of roles whose keys the service does not hold, if targets is one of them: made by the service, for
   * their holders to sign before there is a repository.
   */
  readonly offline?: Readonly<Record<string, Json>>
  /** Days by role. */
  readonly expiration: Readonly<Record<string, number>>
  readonly delegations: BinsRequest | CustomRolesRequest
  /** See `Settings`. */
  readonly clients?: readonly ClientId[]
  readonly predecessor?: Predecessor
}

/** A repository that goes on here, so that its clients need no other root than the one that they trust. */
export interface Predecessor {
  /** All of its roots from version 1 on, each the text of its file: they are served as they are. */
  readonly roots: readonly string[]
  /** The highest version among all of its other metadata: ours go on from there. */
  readonly highestVersion: number
}

export interface BinsRequest {
  readonly delegation: BinDelegation
  readonly number: number
}

export interface CustomRolesRequest {
  readonly keys: Readonly<Record<string, Key>>
  /** In the order in which clients ask them. */
  readonly roles: readonly CustomRole[]
}

/** A role that targets delegates to by path patterns. */
export interface CustomRole {
  readonly name: RoleName
  readonly terminating: boolean
  /** None: the service's online key. */
  readonly keyids: readonly string[]
  readonly threshold: number
  readonly paths: readonly string[]
  /** Days; absent: as they are, or the default. */
  readonly expiration?: number
  /** It is asked before the first of these that is there; if none is, after the other custom roles, or where it was. */
  readonly before?: readonly string[]
  /** Hash bins inside it, signed online, that hold its targets. Decided when the role is added. */
  readonly bins?: BinsRequest
}

export interface AddArtifactsRequest {
  readonly kind: 'add_artifacts'
  readonly artifacts: readonly { readonly path: TargetPath; readonly info: TargetFile }[]
  readonly addTaskIdToCustom: boolean
  /** False parks the change until somebody publishes. */
  readonly publish: boolean
}

export interface RemoveArtifactsRequest {
  readonly kind: 'remove_artifacts'
  readonly paths: readonly TargetPath[]
  readonly publish: boolean
}

export interface PublishArtifactsRequest {
  readonly kind: 'publish_artifacts'
}

/** Artifacts that were uploaded as one file, to become visible all at once. */
export interface ImportArtifactsRequest {
  readonly kind: 'import_artifacts'
  /** The object of the state store that holds them: `bulk/<id>`. */
  readonly bulk: string
  /** Of that object, in hex: what was submitted is what is published. */
  readonly sha256: string
  /** Of that object. */
  readonly bytes: number
  readonly format: BulkFormat
  /** False: one broken line, and nothing is published. */
  readonly skipInvalid: boolean
  readonly addTaskIdToCustom: boolean
}

export interface UpdateSettingsRequest {
  readonly kind: 'update_settings'
  /** Days by role. */
  readonly expiration: Readonly<Record<string, number>>
  /** Those that are served from now on. */
  readonly clients?: readonly ClientId[]
}

/** The targets are to be spread over another number of hash bins. */
export interface ChangeBinsRequest {
  readonly kind: 'change_bins'
  /** A power of two from 2 to 16,384. */
  readonly number: number
}

export interface ForceOnlineMetadataUpdateRequest {
  readonly kind: 'force_online_metadata_update'
  /** None: all of them. */
  readonly roles: readonly string[]
}

/** A new root: the next version, signed or waiting to be. */
export interface MetadataUpdateRequest {
  readonly kind: 'metadata_update'
  /** A root's whole file, as JSON. */
  readonly root: Json
  /** The online keys that this root takes away are in the wrong hands: they stop signing at once, without the usual wait. */
  readonly compromised: boolean
}

/** One holder's signature for metadata that waits for it. */
export interface SignMetadataRequest {
  readonly kind: 'sign_metadata'
  readonly role: string
  readonly signature: Signature
}

/** Metadata that waits for signatures is not wanted any more. */
export interface DeleteSignMetadataRequest {
  readonly kind: 'delete_sign_metadata'
  readonly role: string
}

/** Custom roles added, changed (each is given as it is to be, whole) or taken away. */
export type MetadataDelegationRequest =
  | {
      readonly kind: 'metadata_delegation'
      readonly action: 'add' | 'update'
      /** Those that the roles name, unless targets knows them already. */
      readonly keys: Readonly<Record<string, Key>>
      readonly roles: readonly CustomRole[]
      /** Artifacts that clients would not find any more are removed, and not a reason to refuse. */
      readonly removeArtifacts: boolean
    }
  | {
      readonly kind: 'metadata_delegation'
      readonly action: 'delete'
      /** Their artifacts go with them. */
      readonly names: readonly RoleName[]
    }
  | {
      readonly kind: 'metadata_delegation'
      readonly action: 'renew'
      /**
       * Roles that are signed offline, `targets` too: each is signed anew by its holders, as it is, before it expires. None:
       * what the service signs below such roles gets the current online keys, which a change of online keys has to leave to
       * the holders.
       */
      readonly names: readonly string[]
    }

/** Metadata of a custom role that its holders have made and signed themselves. */
export interface UploadDelegatedMetadataRequest {
  readonly kind: 'upload_delegated_metadata'
  readonly role: RoleName
  /** The whole file, as JSON. */
  readonly metadata: Json
}

/** The targets of an earlier commit are to be published again. */
export interface RevertRequest {
  readonly kind: 'revert'
  readonly commit: number
}

/** `inbox/<id>.json`: accepted, durable, not finished. */
export interface AcceptedTask extends Document {
  /** 32 hex digits of a UUIDv7, so that names in the inbox sort in the order of acceptance. */
  readonly id: string
  readonly principal: string
  /** ISO 8601, UTC. */
  readonly accepted: string
  readonly request: TaskRequest
}

/** SUCCESS: done and visible. ERRORED: understood and refused. FAILURE: we broke. */
export type FinalState = 'SUCCESS' | 'ERRORED' | 'FAILURE'

export interface TaskResult {
  /** The kind of task; absent where the task was never read. */
  readonly task?: TaskKind
  readonly status: boolean
  readonly message: string
  /** Always there unless the task succeeded. */
  readonly error?: string
  /** ISO 8601, UTC. */
  readonly last_update: string
  readonly details: Readonly<Record<string, unknown>>
}

/** A task and how it ended, as the commit that decided it records it. */
export interface DecidedTask {
  readonly id: string
  readonly principal: string
  readonly state: FinalState
  readonly result: TaskResult
}

/** `tasks/<id>.json`. */
export interface FinishedTask extends DecidedTask, Document {
  /** The number of the commit that decided it; 0 for what was decided before there was one. */
  readonly commit: number
}

/** Whether this is the id of some task: a UUIDv7 in 32 hex digits. */
export const isTaskId = (text: string) => /^[0-9a-f]{32}$/.test(text)

export const inboxName = (id: string) => `inbox/${id}.json`
/** What lay in the inbox under this id and was no task. */
export const spoiltName = (id: string) => `spoilt/${id}.json`
export const taskName = (id: string) => `tasks/${id}.json`
/** The id of the task after which an object is named, as `inbox/<id>.json` is; nothing for what somebody else has put there. */
export const taskIdIn = (name: string): string | undefined => /^[a-z]+\/([0-9a-f]{32})\.json$/.exec(name)?.[1]
