import * as z from 'zod'
import { type Artifact, hashAlgorithms, hashFaults, isSameTarget, sayingCustom } from '../repository/artifact-rules.ts'
import type { AddArtifactsRequest, RemoveArtifactsRequest } from '../repository/task.ts'
import { targetPath } from '../tuf/names.ts'
import {
  decoded,
  dictionary,
  example,
  optional,
  orIssue,
  untouchedObject,
  wholeNumber,
  withDefault,
} from './schemas.ts'

export const path = decoded(targetPath).meta({ id: 'TargetPath' })

/** Clients compare digests as text, in lower case; others write them in upper case, and mean the same. */
const hashes = dictionary(
  z.string(),
  z.string().transform((digest) => digest.toLowerCase()),
)
  .check((context) => {
    for (const { message, algorithm } of hashFaults(context.value)) {
      context.issues.push({
        code: 'custom',
        message,
        path: algorithm === undefined ? [] : [algorithm],
        input: algorithm === undefined ? context.value : context.value[algorithm],
      })
    }
  })
  .meta({ id: 'Hashes', description: `Digests in hex, by algorithm: ${hashAlgorithms}.` })

const custom = untouchedObject('Anything that clients are to be told of this artifact. Whole numbers only.').transform(
  (custom, context) => orIssue(context, () => sayingCustom(custom).custom),
)

const artifact = z
  .object({
    path,
    info: z.object({
      length: wholeNumber(0).meta({ description: 'In bytes.' }),
      hashes,
      custom: optional(custom),
    }),
  })
  .transform(({ path, info: { length, hashes, custom } }): Artifact => {
    return { path, info: { length, hashes, ...(custom && { custom }) } }
  })

/** The same artifact twice counts once; one path with two contents cannot be meant. */
const artifacts = z.array(artifact).transform((sent, context): Artifact[] => {
  const byPath = new Map<string, { readonly artifact: Artifact; readonly index: number }>()
  for (const [index, artifact] of sent.entries()) {
    const earlier = byPath.get(artifact.path)
    if (earlier === undefined) byPath.set(artifact.path, { artifact, index })
    else if (!isSameTarget(earlier.artifact.info, artifact.info)) {
      const message = `The same path as artifact ${earlier.index}, with other length, hashes or custom. Send each path once.`
      context.issues.push({ code: 'custom', message, path: [index, 'path'], input: artifact.path })
    }
  }
  return [...byPath.values()].map(({ artifact }) => artifact)
})

const publishArtifacts = withDefault(z.boolean(), true).describe(
  'False parks the change until somebody posts to /artifacts/publish.',
)

export const addArtifactsBody = z
  .object({
    artifacts,
    add_task_id_to_custom: withDefault(z.boolean(), false),
    publish_artifacts: publishArtifacts,
  })
  .transform(
    ({ artifacts, add_task_id_to_custom, publish_artifacts }): AddArtifactsRequest => ({
      kind: 'add_artifacts',
      artifacts,
      addTaskIdToCustom: add_task_id_to_custom,
      publish: publish_artifacts,
    }),
  )
  .meta(
    example({
      artifacts: [{ path: 'releases/v1.2.3/tool.tar.gz', info: { length: 1024, hashes: { sha256: '0'.repeat(64) } } }],
    }),
  )

export const removeArtifactsBody = z
  .object({ artifacts: z.array(path), publish_artifacts: publishArtifacts })
  .transform(
    ({ artifacts, publish_artifacts }): RemoveArtifactsRequest => ({
      kind: 'remove_artifacts',
      paths: [...new Set(artifacts)],
      publish: publish_artifacts,
    }),
  )
  .meta(example({ artifacts: ['releases/v1.2.3/tool.tar.gz'] }))
