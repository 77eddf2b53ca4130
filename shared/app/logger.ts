/** What the service says to its operator. Pino is one as it stands; Powertools needs its arguments turned round. */
export interface Logger {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
