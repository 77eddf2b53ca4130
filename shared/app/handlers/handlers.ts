import type { Routes } from '../routes.ts'
import {
  getArtifact,
  getParkedArtifacts,
  postArtifacts,
  postArtifactsDelete,
  postArtifactsPublish,
} from './artifacts.ts'
import { getBootstrap, postBootstrap } from './bootstrap.ts'
import {
  getDelegations,
  postDelegatedMetadata,
  postDelegations,
  postDelegationsDelete,
  postDelegationsRenew,
  putDelegations,
} from './delegations.ts'
import type { Handler } from './handler.ts'
import { getImport, postImport, postImports } from './imports.ts'
import { getCommit, getCommitChanges, getCommits } from './journal.ts'
import { getMetadataSign, postMetadata, postMetadataSign, postMetadataSignDelete } from './metadata.ts'
import { getOpenapi } from './openapi.ts'
import { postRevert } from './revert.ts'
import { getConfig, postMetadataOnline, putConfig } from './settings.ts'
import { getKeys, getStatus } from './status.ts'
import { getTask } from './tasks.ts'

/** The handler of each route; leaving one out does not compile. */
export const handlers: { readonly [Id in keyof Routes]: Handler<Routes[Id]> } = {
  getBootstrap,
  postBootstrap,
  getConfig,
  putConfig,
  postArtifacts,
  postArtifactsDelete,
  postArtifactsPublish,
  getArtifact,
  getParkedArtifacts,
  postImports,
  postImport,
  getImport,
  postMetadata,
  postMetadataOnline,
  getMetadataSign,
  postMetadataSign,
  postMetadataSignDelete,
  getDelegations,
  postDelegations,
  putDelegations,
  postDelegationsDelete,
  postDelegationsRenew,
  postDelegatedMetadata,
  postRevert,
  getTask,
  getKeys,
  getCommits,
  getCommit,
  getCommitChanges,
  getStatus,
  getOpenapi,
}
