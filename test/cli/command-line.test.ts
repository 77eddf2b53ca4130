import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defaultBins, defaultThreshold } from '../../cli/ceremony/decisions.ts'
import { exitCodes } from '../../cli/output.ts'
import { defaultExpiration } from '../../shared/repository/settings.ts'
import { tuffet } from '../support/tuffet.ts'

const nobody = 'http://127.0.0.1:9'
const commands = readdirSync(join(import.meta.dirname, '../../cli/commands')).map((file) => file.replace('.ts', ''))

describe('the command line', { concurrency: 2 }, () => {
  it('lists every command in its help', async () => {
    const { code, stdout } = await tuffet(['--help'])
    assert.equal(code, 0)
    for (const command of commands) assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'))
    for (const code of Object.values(exitCodes)) assert.match(stdout, new RegExp(`^  ${code}  \\w+`, 'm'))
  })

  for (const command of commands) {
    it(`shows an example in the help of ${command}`, async () => {
      const { code, stdout, stderr } = await tuffet([command, '--help'])
      assert.equal(code, 0, stderr)
      assert.match(stdout, new RegExp(`Examples?:\\n  \\$ tuffet ${command}`))
      assert.match(stdout, /--json/, 'global options are missing')
    })
  }

  it('shows the help of a command below another', async () => {
    const [{ code, stdout }, option] = await Promise.all([
      tuffet(['help', 'artifact', 'add']),
      tuffet(['artifact', 'add', '--help']),
    ])
    assert.equal(code, 0)
    assert.match(stdout, /--sha256/)
    assert.equal(stdout, option.stdout)
    assert.match((await tuffet(['help'])).stdout, /^Exit codes:$/m)
  })

  it('says the defaults of a ceremony in its help', async () => {
    const help = (await tuffet(['ceremony', '--help'])).stdout.replace(/\s+/g, ' ')
    for (const [option, assumed] of [
      ['--bins', defaultBins],
      ['--threshold', defaultThreshold],
      ['--delegation', 'succinct_roles'],
    ])
      assert.match(help, new RegExp(` ${option} <[^(]*\\(default: ${assumed}\\)`))
    const expiration = JSON.stringify(defaultExpiration).replace(/[:,]/g, '$& ')
    assert.ok(help.includes(`these are the defaults: {"expiration": ${expiration}`), expiration)
  })

  it('says its version', async () => {
    const { code, stdout } = await tuffet(['--version'])
    assert.equal(code, 0)
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  })

  const misuses: readonly (readonly [readonly string[], RegExp])[] = [
    [['statsu'], /unknown command 'statsu'[\s\S]*Did you mean status/],
    [['help', 'statsu'], /unknown command 'statsu'[\s\S]*Did you mean status/],
    [['help', 'artifact', 'ad'], /unknown command 'ad'/],
    [['status', '--frobnicate'], /unknown option '--frobnicate'/],
    [['artifact', 'add'], /missing required argument 'path'/],
    [['--api', 'ftp://x', 'status'], /--api has to be an http or https URL/],
    [['--api', 'http://ann:secret@127.0.0.1:1', 'status'], /^(?!.*secret).*--api holds a name and a password/],
    [['--api', 'nonsense', 'status'], /--api has to be an http or https URL/],
    [['--token-env', 'NO_SUCH_VARIABLE', 'status'], /NO_SUCH_VARIABLE, which is not set/],
    [['config', 'set'], /Nothing to set/],
    [['config', 'set', 'timestamp'], /role=days/],
    [['config', 'set', 'number_of_delegated_bins=100'], /power of two from 2 to 16384/],
    [['config', 'set', 'root=100'], /tuffet root update --expiration 100/],
    [['config', 'set', 'root_expiration=100'], /tuffet root update --expiration 100/],
    [['refresh', 'root'], /tuffet root update --expiration/],
    [['root', 'send', 'nowhere.json'], /nowhere\.json cannot be read/],
    [['ceremony', '--continue', 'nowhere.json'], /nowhere\.json cannot be read/],
    [['key', 'show', 'nowhere.pem'], /nowhere\.pem cannot be read: ENOENT.* Is the path right\?/],
    [['key', 'show', tmpdir()], /cannot be read: EISDIR.* It is a directory: name a file\./],
    [['token', 'new', '--file', tmpdir()], /cannot be read: EISDIR/],
    [['token', 'new', '--file', ''], /--file is empty/],
    [['check', ''], /An argument is empty/],
    [['status', '--api', ''], /--api is empty/],
    [['log', '--limit', '0'], /whole number from 1 to 100/],
    [['key', 'new', 'x.pem', '--type', 'p384'], /Allowed choices are ed25519, p256/],
  ]
  for (const [args, message] of misuses) {
    it(`ends with 2 for: tuffet ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await tuffet(args)
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    })
  }

  it('says in JSON, too, that a command is missing', async () => {
    for (const args of [['--json'], ['artifact', '--json']]) {
      const { code, stdout } = await tuffet(args)
      assert.equal(code, 2)
      assert.match(JSON.parse(stdout).error.message, /A command is missing/)
    }
  })

  it('says in words that its output cannot be written', { skip: !existsSync('/dev/full') }, async () => {
    const full = await open('/dev/full', 'w')
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), '--version'], {
      stdio: ['ignore', full.fd, 'pipe'],
    })
    let said = ''
    child.stderr?.on('data', (bytes) => {
      said += bytes
    })
    const [code] = await once(child, 'close')
    await full.close()
    assert.equal(code, 1)
    assert.match(said, /^error: Standard output cannot be written: ENOSPC[^\n]*\n$/)
  })

  it('shows nothing of a token that cannot be one', async () => {
    for (const TUFFET_TOKEN of ['secret\nsecret', 'secret secret', 'sécret']) {
      const { code, stdout, stderr } = await tuffet(['status', '--json', '--api', nobody], '', {
        env: { TUFFET_TOKEN },
      })
      assert.equal(code, 2, stderr)
      assert.match(JSON.parse(stdout).error.message, /^TUFFET_TOKEN holds no token: there is a line break/)
      assert.doesNotMatch(stdout + stderr, /s.cret/)
    }
  })

  for (const args of [['status'], ['artifact', 'show', 'a'], ['check'], ['download', 'a']]) {
    it(`ends with 3 where nobody answers: tuffet ${args.join(' ')}`, async () => {
      const env = { XDG_CACHE_HOME: join(tmpdir(), 'tuffet-test-cache') }
      const { code, stdout, stderr } = await tuffet(['--api', nobody, ...args], '', { env })
      assert.equal(code, 3, stderr)
      assert.match(stderr, /^error: http:\/\/127\.0\.0\.1:9\/.* cannot be reached/)
      assert.equal(stdout, '')
    })
  }

  it('writes one JSON document with --json for errors too, wherever the flag stands', async () => {
    const misused = await tuffet(['artifact', 'add', '--json'])
    assert.deepEqual(JSON.parse(misused.stdout), {
      error: { code: 'usage', message: "missing required argument 'path'" },
    })
    const unreachable = await tuffet(['--json', '--api', nobody, 'status'])
    assert.equal(JSON.parse(unreachable.stdout).error.code, 'unreachable')
  })

  it('never waits for an answer without a terminal', async () => {
    const { code, stderr } = await tuffet(['key', 'new', '/nonexistent/x.pem'])
    assert.equal(code, 2)
    assert.match(stderr, /no terminal to ask at.*--password-fd/)
  })
})
