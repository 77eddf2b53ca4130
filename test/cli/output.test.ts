import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { createOutput } from '../../cli/output.ts'

/** What is written to standard error while it looks like a terminal of so many columns. */
async function shown(
  columns: number,
  work: (progress: (text: string) => void) => Promise<void>,
  { isTerminal = true, ...options }: { isTerminal?: boolean; json?: boolean; quiet?: boolean } = {},
): Promise<string> {
  const { isTTY, columns: before, cursorTo, clearLine, moveCursor } = process.stderr
  let text = ''
  // Where this is set nobody looks at the terminal.
  const { CI: ci } = process.env
  delete process.env['CI']
  const write = mock.method(process.stderr, 'write', (part: unknown) => {
    text += part
    return true
  })
  try {
    const still = () => true
    Object.assign(process.stderr, { isTTY: isTerminal, columns, cursorTo: still, clearLine: still, moveCursor: still })
    await createOutput(options).during('Begins', work)
  } finally {
    Object.assign(process.stderr, { isTTY, columns: before, cursorTo, clearLine, moveCursor })
    write.mock.restore()
    if (ci !== undefined) process.env['CI'] = ci
  }
  return text
}

/** Takes its time, and leaves none to anybody else. */
function busy(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

describe('what goes on', () => {
  it('is shown on a terminal, also by work that lets nobody else run', async () => {
    const text = await shown(80, async (progress) => {
      for (const step of ['one', 'two', 'three']) {
        busy(110)
        progress(step)
      }
    })
    for (const step of ['one', 'two', 'three']) assert.ok(text.includes(step), JSON.stringify(text))
  })

  it('leaves nothing behind on a terminal, and the cursor where it can be seen', async () => {
    const text = await shown(80, async (progress) => progress('one'))
    assert.ok(text.lastIndexOf('\u001B[?25h') > text.lastIndexOf('\u001B[?25l'), JSON.stringify(text))
  })

  it('leaves the keyboard alone, so that Ctrl-C ends what takes too long', async () => {
    const { stdin } = process
    const before = Object.getOwnPropertyDescriptors(stdin)
    const setRawMode = mock.fn(() => stdin)
    Object.assign(stdin, { isTTY: true, setRawMode })
    try {
      await shown(80, async (progress) => progress('one'))
    } finally {
      for (const name of ['isTTY', 'setRawMode'] as const) {
        if (before[name] === undefined) Reflect.deleteProperty(stdin, name)
        else Object.defineProperty(stdin, name, before[name])
      }
    }
    assert.equal(setRawMode.mock.callCount(), 0)
  })

  it('is not shown where nobody looks, nor to who asks for JSON or for silence', async () => {
    const work = async (progress: (text: string) => void) => {
      busy(110)
      progress('one')
    }
    assert.equal(await shown(80, work, { isTerminal: false }), '')
    assert.equal(await shown(80, work, { json: true }), '')
    assert.equal(await shown(80, work, { quiet: true }), '')
  })

  it('is not shown on a terminal that says it has no columns, where a line would have no end', async () => {
    assert.equal(await shown(0, async (progress) => progress('x')), '')
  })
})
