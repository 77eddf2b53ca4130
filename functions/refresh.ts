import { publisherService } from '../shared/app/aws.ts'
import { refreshHandler } from '../shared/app/handlers/refresh.ts'

/** Behind a schedule, every minute. */
const service = publisherService()

export const handler = service.lambda(refreshHandler(service))
