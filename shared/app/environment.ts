/**
 * The environment variables of the functions. Infrastructure sets them, `aws.ts` reads them; the names stand here
 * alone. All of these are required, except where a function has no use for one: see `aws.ts`.
 */
export const variables = {
  /** The repository's name in metrics and logs, for several may live in one account. */
  stage: 'TUFFET_STAGE',
  /** Names of buckets. Metadata lies under `metadata/` in the one, everything else at the top of the other. */
  metadataBucket: 'TUFFET_METADATA_BUCKET',
  stateBucket: 'TUFFET_STATE_BUCKET',
  /** ARNs of KMS keys, with commas between them. */
  onlineKeys: 'TUFFET_ONLINE_KEYS',
  /** The URL of the doorbell, an SQS queue. */
  queue: 'TUFFET_QUEUE_URL',
  /** The URL of the queue for tasks that crash the publisher. The API has no use for it. */
  deadLetters: 'TUFFET_DEAD_LETTERS_URL',
} as const

/** Those that are set only where something else is wanted than what is usual. */
export const optionalVariables = {
  /** What claims of tokens grant, as JSON: see `token-claims.ts`. Without it only scopes grant something. */
  tokenClaims: 'TUFFET_TOKEN_CLAIMS',
  /** See `Limits`. */
  rotationGrace: 'TUFFET_ROTATION_GRACE_SECONDS',
  retention: 'TUFFET_RETENTION_SECONDS',
} as const

/**
 * What the functions measure, as CloudWatch knows it:
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format.html.
 */
export const metrics = {
  namespace: 'Tuffet',
  /** The only dimension; its value is the stage. */
  dimension: 'service',
  /**
   * Seconds until the first online role expires; below zero if one has. Once a minute, as soon as there is a
   * repository.
   */
  nearestExpiry: 'NearestExpiry',
  /** The same of the root, which people have to sign, and of the first role below it that is signed offline, if any is. */
  rootExpiry: 'RootExpiry',
  offlineExpiry: 'OfflineExpiry',
  /** 1 once the holders of the root should be asked to sign the next one; how many roles signed offline wait for theirs. */
  rootToRenew: 'RootToRenew',
  offlineToRenew: 'OfflineToRenew',
  /** Seconds that the oldest accepted task has waited; 0 if none waits. Once a minute. */
  oldestTask: 'OldestTask',
  /** How many changes are parked. Once a minute, as soon as there is a repository. */
  parkedChanges: 'ParkedChanges',
  /** Commits made; those which re-signed roles are among them. */
  commits: 'Commits',
  /** Roles signed again because they were half spent. */
  refreshedRoles: 'RefreshedRoles',
  /** Milliseconds from acceptance of a task until clients could see what became of it; one for each task. */
  publishLatency: 'PublishLatency',
  /** Tasks that ended as ERRORED: understood and refused. */
  refusedTasks: 'RefusedTasks',
  /** Tasks that ended as FAILURE: the service broke. */
  failedTasks: 'FailedTasks',
  /** Runs of a publisher or refresher that ended by an error; what they had accepted is tried again. */
  failedRuns: 'FailedRuns',
} as const
