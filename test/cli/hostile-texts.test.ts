import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { createOutput } from '../../cli/output.ts'
import { changesBetween, describeChanges } from '../../cli/root/changes.ts'
import { describeStanding, standingOf } from '../../cli/root/holders.ts'
import { table } from '../../cli/table.ts'
import { unsigned } from '../../shared/tuf/signed.ts'
import { makeKey, makeRoot } from '../support/keys.ts'
import { tuffet } from '../support/tuffet.ts'

/** Clears the screen, sets the title, begins a line, colours (as one character), and turns what follows around. */
const hostile = 'x\u001b[2J\u001b]0;title\u0007\r\n  signed  somebody\u009b31m\u202e\u2028\u{e0041}end'
const escaped =
  'x\\u001b[2J\\u001b]0;title\\u0007\\u000d\\u000a  signed  somebody\\u009b31m\\u202e\\u2028\\udb40\\udc41end'
const unprintable = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

describe('what others wrote', () => {
  let service: Server
  const run = (...args: string[]) =>
    tuffet(['--api', `http://127.0.0.1:${(service.address() as AddressInfo).port}`, ...args])

  before(async () => {
    const answers: Readonly<Record<string, object>> = {
      artifacts: {
        path: hostile,
        role: hostile,
        info: { length: 1, hashes: { [hostile]: hostile }, custom: [hostile] },
      },
      config: { [hostile]: hostile },
      commits: {
        commits: [
          {
            number: 1,
            time: '2026-01-01T00:00:00Z',
            changes: 0,
            tasks: [{ task: hostile, principal: hostile, state: 'SUCCESS' }],
          },
        ],
      },
    }
    service = createServer(({ url = '' }, response) => {
      const data = answers[/^\/api\/v1\/(\w+)/.exec(url)?.[1] ?? '']
      const answer = data === undefined ? { detail: { message: hostile } } : { data }
      response.writeHead(data === undefined ? 400 : 200).end(JSON.stringify(answer))
    })
    await once(service.listen(0, '127.0.0.1'), 'listening')
  })
  after(() => service.close())

  for (const args of [['artifact', 'show', 'x'], ['config', 'get'], ['log'], ['status']]) {
    it(`does nothing to the terminal: tuffet ${args.join(' ')}`, async () => {
      const { stdout, stderr } = await run(...args)
      const said = stdout + stderr
      assert.doesNotMatch(said, unprintable)
      assert.ok(said.includes('x\\u001b[2J'), said)
    })
  }

  it('is the same to who reads JSON', async () => {
    const { stdout } = await run('config', 'get', '--json')
    assert.doesNotMatch(stdout, unprintable)
    assert.deepEqual(JSON.parse(stdout), { [hostile]: hostile })
    const refused = await run('status', '--json')
    assert.doesNotMatch(refused.stdout, unprintable)
    assert.equal(JSON.parse(refused.stdout).error.message, hostile)
  })

  it('begins no line of a table, which keeps its colours', () => {
    assert.equal(table([[hostile, 'b']]), `${escaped}  b`)
    assert.equal(table([['\u001b[32mgreen\u001b[39m', 'b']]), '\u001b[32mgreen\u001b[39m  b')
  })

  it('changes nothing of what a holder sees of a root', () => {
    const [ann, bob] = [makeKey(), makeKey()]
    const current = makeRoot({ root: [ann] })
    const next = makeRoot({ version: 2, root: [ann, { ...bob, key: { ...bob.key, 'x-rstuf-key-name': hostile } }] })
    assert.ok(describeChanges(changesBetween(current, next)).includes(`+ ${bob.keyid} (${escaped})`))
    assert.equal(describeStanding(standingOf(current, unsigned(next))).split('\n').length, 4)
  })

  it('is shown as it is where it does no harm', async (test) => {
    const write = test.mock.method(process.stdout, 'write', () => true)
    createOutput({}).result({}, 'Größe → 1,024 “b” 家\nnext')
    assert.deepEqual(write.mock.calls[0]?.arguments, ['Größe → 1,024 “b” 家\nnext\n'])
  })
})
