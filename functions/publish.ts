import { publisherService } from '../shared/app/aws.ts'
import { publishHandler } from '../shared/app/handlers/publish.ts'

/** Behind the doorbell, an SQS queue that takes partial batch responses. */
const service = publisherService()

export const handler = service.lambda(publishHandler(service))
