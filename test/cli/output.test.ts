import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { createOutput } from '../../cli/output.ts'

/** What is written to standard error while it looks like a terminal of so many columns. */
async function shown(columns: number, work: (progress: (text: string) => void) => Promise<void>): Promise<string> {
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
    Object.assign(process.stderr, { isTTY: true, columns, cursorTo: still, clearLine: still, moveCursor: still })
    await createOutput({}).during('Begins', work)
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

  it('is not shown on a terminal that says it has no columns, where a line would have no end', async () => {
    assert.equal(await shown(0, async (progress) => progress('x')), '')
  })
})
