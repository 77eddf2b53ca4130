import * as z from 'zod'
import {
  addDelegationsBody,
  delegatedMetadataBody,
  deleteDelegationsBody,
  renewDelegationsBody,
  updateDelegationsBody,
} from './delegation-schemas.ts'
import * as results from './result-schemas.ts'
import { delegatedRoleName } from './schemas.ts'

export const beforeBootstrap = 'The repository is not bootstrapped.'

/** See `routes`: those about targets and the roles below it. */
export const delegationRoutes = {
  getDelegations: {
    method: 'GET',
    path: '/delegations',
    permission: 'read',
    summary: 'Targets and the roles below it: who is trusted with what, who signs, what waits for signatures',
    result: results.delegations,
    notFound: beforeBootstrap,
  },
  postDelegations: {
    method: 'POST',
    path: '/delegations',
    permission: 'administer',
    summary: 'Add delegated roles',
    body: addDelegationsBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  putDelegations: {
    method: 'PUT',
    path: '/delegations',
    permission: 'administer',
    summary: 'Change delegated roles, each given as it is to be',
    body: updateDelegationsBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  postDelegationsDelete: {
    method: 'POST',
    path: '/delegations/delete',
    permission: 'administer',
    summary: 'Remove delegated roles, and with them their artifacts',
    body: deleteDelegationsBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  postDelegationsRenew: {
    method: 'POST',
    path: '/delegations/renew',
    permission: 'administer',
    summary: 'Have roles that are signed offline signed anew, before they expire or after online keys have changed',
    body: renewDelegationsBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
  postDelegatedMetadata: {
    method: 'POST',
    path: '/delegations/{role}/metadata',
    permission: 'administer',
    summary: 'Publish metadata of a delegated role that its holders made and signed themselves',
    parameters: z.object({ role: delegatedRoleName }),
    body: delegatedMetadataBody,
    result: results.accepted,
    submits: true,
    notFound: beforeBootstrap,
  },
} as const
