import { CliError } from '../output.ts'

export function cannotListen(host: string, port: number, cause: unknown): CliError {
  const { code, message } = cause as NodeJS.ErrnoException
  const why = code === 'EADDRINUSE' ? 'The port is taken; --port 0 picks a free one.' : message
  return new CliError('refused', `Cannot listen on ${host}, port ${port}. ${why}`, { cause })
}
