import { hash } from 'node:crypto'
import { relative, resolve } from 'node:path'
import { paint } from '../output.ts'
import { quoted } from '../printable.ts'

export interface Surroundings {
  readonly url: URL
  /** The target that was published. */
  readonly name: string
  readonly artifacts: string
  readonly root: string
  readonly log: string
}

/** What to try in another terminal: lines that can be pasted as they are. */
export function nextSteps({ url, name, artifacts, root, log }: Surroundings): string {
  const usual = url.port === '8080'
  const tuffet = quoted(relative(process.cwd(), resolve(import.meta.dirname, '../../node_modules/.bin/tuffet')))
  const run = usual ? tuffet : `${tuffet} --api ${url.origin}`
  const info = { length: 6, hashes: { sha256: hash('sha256', 'hello\n') } }
  const body = JSON.stringify({ artifacts: [{ path: 'hello.txt', info }] })
  const commands = [
    ['Publish a file of your own', `echo hello > ${quoted(`${artifacts}/hello.txt`)}`],
    ['', `${run} artifact add ${quoted(`${artifacts}/hello.txt`)} --base ${quoted(artifacts)}`],
    ['Download and verify it', `${run} download hello.txt ${name} --root ${quoted(root)} --out downloads`],
    ['Look at the repository', `${run} status`],
    ['Which TUF clients read it', `${run} check --clients`],
    ['The same with curl', `curl ${url.origin}/metadata/timestamp.json`],
    ['', `curl ${url.origin}/api/v1/artifacts -H 'Prefer: wait=10' -d '${body}'`],
  ]
  const lines = commands.map(
    ([title = '', command = '']) => `${title === '' ? '' : `\n  # ${title}\n`}  ${paint('cyan', command)}`,
  )
  return [
    paint('bold', 'Try next, in another terminal:'),
    ...lines,
    '',
    `The API is explained at ${url.origin}/docs; the log of the service is ${log}.`,
    `Serving at ${url.origin} until Ctrl-C.`,
  ].join('\n')
}
