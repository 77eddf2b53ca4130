import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** What one build system sent and had accepted, in order; it sends a request until it is answered, always with the same key. */
export interface Writer {
  /** Ids of the tasks that were answered 202. */
  readonly accepted: ReadonlySet<string>
  /** What its paths have to be once everything parked is published: length, or nothing where it was removed. */
  readonly expected: ReadonlyMap<string, number | undefined>
  /** How often it had to ask again. */
  readonly repeats: () => number
  run(isOver: () => boolean): Promise<void>
}

/** Throws whatever is an answer and no 202; unless the service may be in trouble and says so (503), which is no answer then. */
export function makeWriter(name: string, url: URL, random: () => number, mayBeInTrouble = false): Writer {
  const accepted = new Set<string>()
  const expected = new Map<string, number | undefined>()
  let sent = 0
  let repeats = 0

  function nextRequest(): { path: string; body: object; effect: () => void } {
    sent++
    const length = sent
    const own = [`${name}/newest`, `${name}/${Math.floor(random() * 20)}`]
    const at = random()
    if (at < 0.15) {
      return {
        path: 'artifacts/delete',
        body: { artifacts: own },
        // What is not there is not removed, and was not there before.
        effect: () => own.forEach((path) => void expected.set(path, undefined)),
      }
    }
    return {
      path: 'artifacts',
      body: { artifacts: own.map((path) => ({ path, info: infoOf(path, length) })), publish_artifacts: at > 0.3 },
      effect: () => own.forEach((path) => void expected.set(path, length)),
    }
  }

  async function send(path: string, body: object, isOver: () => boolean): Promise<string | undefined> {
    for (;;) {
      const answer = await post(url, path, body, `${name}-${sent}`, mayBeInTrouble)
      if (answer !== undefined) return answer
      repeats++
      if (isOver()) return undefined
      await sleep(20 + random() * 50)
    }
  }

  return {
    accepted,
    expected,
    repeats: () => repeats,
    async run(isOver) {
      while (!isOver()) {
        const { path, body, effect } = nextRequest()
        const id = await send(path, body, () => false)
        if (id === undefined) return
        if (accepted.has(id)) throw new Error(`Task ${id} was given for two requests of ${name}.`)
        accepted.add(id)
        effect()
        await sleep(random() * 30)
      }
    },
  }
}

function infoOf(path: string, length: number) {
  return { length, hashes: { sha256: createHash('sha256').update(`${path} ${length}`).digest('hex') } }
}

/** The id of the accepted task, or nothing if there was no answer. */
export async function post(
  url: URL,
  path: string,
  body: object,
  key: string,
  mayBeInTrouble = false,
): Promise<string | undefined> {
  let response: Response
  let text: string
  try {
    response = await fetch(new URL(`api/v1/${path}`, url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    })
    text = await response.text()
  } catch (error) {
    // Refused, or cut off: nobody knows whether it was accepted.
    if (error instanceof TypeError) return undefined
    throw error
  }
  if (mayBeInTrouble && response.status === 503) return undefined
  if (response.status !== 202) throw new Error(`POST ${path} was answered ${response.status}: ${text}`)
  return (JSON.parse(text) as { data: { task_id: string } }).data.task_id
}
