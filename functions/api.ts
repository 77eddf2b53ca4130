import { claimGrants, connect, setting, shownKeys, uploads } from '../shared/app/aws.ts'
import { authenticatedByGateway } from '../shared/app/gateway-principal.ts'
import { type ApiRequest, apiHandler } from '../shared/app/handlers/api.ts'
import { lambdaAnswer } from '../shared/app/lambda-answer.ts'
import { telemetry } from '../shared/app/telemetry.ts'

/**
 * Behind API Gateway: takes requests in and answers questions. It signs nothing, and needs KMS only to show the public
 * keys.
 */
const { log, lambda } = telemetry(setting('stage'))
const answer = apiHandler({
  repository: connect(log),
  uploads: uploads(),
  authenticate: authenticatedByGateway(claimGrants()),
  log,
  onlineKeys: shownKeys(log),
})

export const handler = lambda(async (event: ApiRequest) => lambdaAnswer(event, await answer(event)))
