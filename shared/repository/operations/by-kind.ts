import type { TaskKind, TaskRequest } from '../task.ts'
import { addArtifacts, publishArtifacts, removeArtifacts } from './artifacts.ts'
import { changeBins } from './change-bins.ts'
import { metadataDelegation } from './delegations.ts'
import { forceOnlineMetadataUpdate } from './force-online-update.ts'
import { importArtifacts } from './import-artifacts.ts'
import { deleteSignMetadata, signMetadata } from './offline-signatures.ts'
import type { Operation } from './operation.ts'
import { revert } from './revert.ts'
import { metadataUpdate } from './root-update.ts'
import { updateSettings } from './settings-update.ts'
import { uploadDelegatedMetadata } from './upload.ts'

/** Every kind of task that changes a repository which exists. Founding one has steps of its own: `bootstrap.ts`. */
export const operations: { readonly [Kind in Exclude<TaskKind, 'bootstrap'>]: Operation<Kind> } = {
  add_artifacts: addArtifacts,
  remove_artifacts: removeArtifacts,
  publish_artifacts: publishArtifacts,
  import_artifacts: importArtifacts,
  update_settings: updateSettings,
  change_bins: changeBins,
  force_online_metadata_update: forceOnlineMetadataUpdate,
  metadata_update: metadataUpdate,
  sign_metadata: signMetadata,
  delete_sign_metadata: deleteSignMetadata,
  metadata_delegation: metadataDelegation,
  upload_delegated_metadata: uploadDelegatedMetadata,
  revert,
}

/** Whether this version of the service knows the kind of task: a later one may have accepted it. */
export const isKnown = ({ kind }: TaskRequest) => kind === 'bootstrap' || Object.hasOwn(operations, kind)

/** The kind says which operation takes which request; TypeScript cannot follow that through a table. */
export function operationFor(request: TaskRequest): Operation<TaskKind> {
  if (request.kind === 'bootstrap') throw new Error('A bootstrap is no operation on a repository that exists.')
  return operations[request.kind] as Operation<TaskKind>
}
