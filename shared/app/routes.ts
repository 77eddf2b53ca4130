import * as z from 'zod'
import { addArtifactsBody, path, removeArtifactsBody } from './artifact-schemas.ts'
import { bootstrapBody } from './bootstrap-schemas.ts'
import { beforeBootstrap, delegationRoutes } from './delegation-routes.ts'
import { importParameters, postImportBody, postImportsBody } from './import-schemas.ts'
import { deleteSignMetadataBody, signMetadataBody, updateMetadataBody } from './metadata-schemas.ts'
import type { Permission } from './principal.ts'
import * as results from './result-schemas.ts'
import { revertBody } from './revert-schema.ts'
import { wholeNumber, withDefault } from './schemas.ts'
import { forceOnlineUpdateBody, updateSettingsBody } from './settings-schemas.ts'

/** One endpoint, as data: the handlers, the OpenAPI document and the API Gateway are all made from this table. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Below `prefix`, without trailing slash; answers with one too. `{name}` is a parameter. */
  readonly path: string
  /** What it asks of who calls it. */
  readonly permission: Permission
  readonly summary: string
  readonly body?: z.ZodType
  readonly query?: z.ZodObject
  readonly parameters?: z.ZodObject
  /** What a 202 says for a route that submits a task, a 201 for one that creates, a 200 for others. */
  readonly result: z.ZodType
  /** True for a route that submits a task: it takes Idempotency-Key and Prefer. */
  readonly submits?: boolean
  /** True for a route that makes something else: it answers 201. */
  readonly creates?: boolean
  /** When it answers 404. */
  readonly notFound?: string
}

export const prefix = '/api/v1'

const taskQuery = z.object({ task_id: z.string().describe('As an accepted request gave it.') })

/** Every endpoint, by the name of its operation. To add one: an entry here, and its handler under `handlers/`. */
export const routes = {
  getBootstrap: {
    method: 'GET',
    path: '/bootstrap',
    permission: 'read',
    summary: 'Has the repository been bootstrapped, or may it be?',
    result: results.bootstrap,
  },
  postBootstrap: {
    method: 'POST',
    path: '/bootstrap',
    permission: 'administer',
    summary: 'Found the repository with the result of a ceremony',
    body: bootstrapBody,
    result: results.accepted,
    submits: true,
    notFound: 'There is a repository already.',
  },
  getConfig: {
    method: 'GET',
    path: '/config',
    permission: 'read',
    summary: 'The settings in force',
    result: results.config,
    notFound: beforeBootstrap,
  },
  putConfig: {
    method: 'PUT',
    path: '/config',
    permission: 'administer',
    summary: 'Change how long roles live, which clients are served, or the number of hash bins',
    body: updateSettingsBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  postArtifacts: {
    method: 'POST',
    path: '/artifacts',
    permission: 'publish',
    summary: 'Add artifacts, or replace them, all in one snapshot',
    body: addArtifactsBody,
    result: results.acceptedArtifacts,
    submits: true,
    notFound: beforeBootstrap,
  },
  postArtifactsDelete: {
    method: 'POST',
    path: '/artifacts/delete',
    permission: 'publish',
    summary: 'Remove artifacts, all in one snapshot',
    body: removeArtifactsBody,
    result: results.acceptedArtifacts,
    submits: true,
    notFound: beforeBootstrap,
  },
  postArtifactsPublish: {
    method: 'POST',
    path: '/artifacts/publish',
    permission: 'publish',
    summary: 'Publish what was parked by "publish_artifacts": false',
    result: results.acceptedArtifacts,
    submits: true,
    notFound: beforeBootstrap,
  },
  getArtifact: {
    method: 'GET',
    path: '/artifacts',
    permission: 'read',
    summary: 'What clients are told of one path',
    query: z.object({ path }),
    result: results.artifact,
    notFound: 'No role vouches for this path.',
  },
  getParkedArtifacts: {
    method: 'GET',
    path: '/artifacts/parked',
    permission: 'read',
    summary: 'Changes that were accepted and wait to be published',
    query: z.object({
      offset: withDefault(wholeNumber(0), 0),
      limit: withDefault(wholeNumber(1, 1000), 100),
    }),
    result: results.parked,
    notFound: beforeBootstrap,
  },
  postImports: {
    method: 'POST',
    path: '/imports',
    permission: 'publish',
    summary: 'Begin an import: the answer says where to upload the file',
    body: postImportsBody,
    result: results.begunImport,
    creates: true,
    notFound: beforeBootstrap,
  },
  postImport: {
    method: 'POST',
    path: '/imports/{id}',
    permission: 'publish',
    summary: 'Submit an uploaded file as one task: all of its artifacts become visible in one snapshot',
    parameters: importParameters,
    body: postImportBody,
    result: results.accepted,
    submits: true,
    notFound: 'There is no such import, or nothing was uploaded for it.',
  },
  getImport: {
    method: 'GET',
    path: '/imports/{id}',
    permission: 'publish',
    summary: 'How far an import has come; with a token only for who began it, and for administrators',
    parameters: importParameters,
    result: results.importStanding,
    notFound: 'There is no such import.',
  },
  postMetadata: {
    method: 'POST',
    path: '/metadata',
    permission: 'administer',
    summary: 'Submit the next root, signed by its holders now or later',
    body: updateMetadataBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  postMetadataOnline: {
    method: 'POST',
    path: '/metadata/online',
    permission: 'administer',
    summary: 'Sign online roles anew, before they are due',
    body: forceOnlineUpdateBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  getMetadataSign: {
    method: 'GET',
    path: '/metadata/sign',
    permission: 'read',
    summary: 'What waits for signatures of offline keys',
    result: results.pending,
    notFound: 'No bootstrap has begun.',
  },
  postMetadataSign: {
    method: 'POST',
    path: '/metadata/sign',
    permission: 'administer',
    summary: "Add one holder's signature; the one that completes the metadata publishes it",
    body: signMetadataBody,
    result: results.accepted,
    submits: true,
    notFound: 'No bootstrap has begun.',
  },
  postMetadataSignDelete: {
    method: 'POST',
    path: '/metadata/sign/delete',
    permission: 'administer',
    summary: 'Give up metadata that waits for signatures',
    body: deleteSignMetadataBody,
    result: results.accepted,
    submits: true,
    notFound: 'No metadata of this role waits for signatures.',
  },
  ...delegationRoutes,
  postRevert: {
    method: 'POST',
    path: '/revert',
    permission: 'administer',
    summary: 'Publish the targets of an earlier commit again; keys, settings and delegations stay as they are',
    body: revertBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  getTask: {
    method: 'GET',
    path: '/task',
    permission: 'read',
    summary: 'Where a task stands; waits up to a second for one that is not finished',
    query: taskQuery,
    result: results.task,
    notFound: 'There is no such task.',
  },
  getKeys: {
    method: 'GET',
    path: '/keys',
    permission: 'read',
    summary: 'The online public keys, for a ceremony to take',
    result: results.keys,
  },
  getCommits: {
    method: 'GET',
    path: '/commits',
    permission: 'read',
    summary: 'The journal, newest first',
    query: z.object({
      newest: wholeNumber(1).nullish().describe('Where to begin; the current commit if absent.'),
      limit: withDefault(wholeNumber(1, 100), 20),
    }),
    result: results.commits,
  },
  getCommit: {
    method: 'GET',
    path: '/commits/{number}',
    permission: 'read',
    summary: 'One commit: what changed, when, for whom',
    parameters: z.object({ number: wholeNumber(1) }),
    result: results.commit,
    notFound: 'There is no such commit.',
  },
  getCommitChanges: {
    method: 'GET',
    path: '/commits/{number}/changes',
    permission: 'read',
    summary: 'The old and the new value of each target that a commit changed, also where these are a million',
    parameters: z.object({ number: wholeNumber(1) }),
    query: z.object({
      offset: withDefault(wholeNumber(0), 0),
      limit: withDefault(wholeNumber(1, 5000), 1000),
    }),
    result: results.commitChanges,
    notFound: 'There is no such commit.',
  },
  getStatus: {
    method: 'GET',
    path: '/status',
    permission: 'read',
    summary: 'What the repository is, what expires when, what waits',
    result: results.status,
  },
  getOpenapi: {
    method: 'GET',
    path: '/openapi.json',
    permission: 'read',
    summary: 'This contract',
    result: z.looseObject({ openapi: z.string() }),
  },
} as const satisfies Record<string, Route>

export type Routes = typeof routes
export type OperationId = keyof Routes
