import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Served, serveProcess } from '../support/served.ts'
import { tuffet } from '../support/tuffet.ts'

const main = join(import.meta.dirname, '../../cli/main.ts')
const execute = promisify(execFile)
const hashOf = (content: string, algorithm = 'sha256') => createHash(algorithm).update(content).digest('hex')

describe('tuffet import', () => {
  let directory: string
  let served: Served
  const run = (...args: string[]) => tuffet(args, '', { cwd: directory, env: { TUFFET_API: served.url.href } })
  const write = (name: string, lines: readonly string[]) => writeFile(join(directory, name), lines.join('\n'))
  const uploads = async () => (await readdir(join(directory, 'data/state/bulk')).catch(() => [])).length
  const commits = async (): Promise<{ number: number; tasks: { task: string }[] }[]> =>
    JSON.parse((await run('log', '--json')).stdout).commits
  const show = async (path: string) => JSON.parse((await run('artifact', 'show', path, '--json')).stdout)

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tuffet import '))
    await mkdir(join(directory, 'artifacts'))
    const data = join(directory, 'data')
    served = await serveProcess(['--data', data, '--port', '0', '--trial', '--artifacts', join(directory, 'artifacts')])
  })
  after(async () => {
    await served.stop()
    await rm(directory, { recursive: true })
  })

  it('publishes thousands of artifacts in one commit, and a client that verifies reads them', async () => {
    const numbers = Array.from({ length: 5_000 }, (_, index) => index)
    await write(
      'many.csv',
      numbers.map((number) => `many/${number % 7}/file-${number};${`${number}`.length};sha256;${hashOf(`${number}`)}`),
    )
    for (const number of [0, 4_999]) {
      await mkdir(join(directory, `artifacts/many/${number % 7}`), { recursive: true })
      await writeFile(join(directory, `artifacts/many/${number % 7}/file-${number}`), `${number}`)
    }
    const before = (await commits())[0]?.number ?? 0
    const imported = await run('import', 'many.csv')
    assert.equal(imported.code, 0, imported.stderr)
    assert.match(imported.stdout, /^Imported 5,000 artifacts; clients can see them \(task [0-9a-f]{32}\)\.\n$/)
    assert.equal(imported.stderr, '')
    const made = (await commits()).filter(({ number, tasks }) => number > before && tasks.length > 0)
    assert.deepEqual(
      made.map(({ tasks }) => tasks.map(({ task }) => task)),
      [['import_artifacts']],
    )
    const commit = made[0]?.number ?? assert.fail()
    assert.equal((await show('many/1/file-4999')).commit, commit)
    assert.match((await run('log', `${commit}`)).stdout, /imported +5,000 targets from a file/)
    const changes = (await run('log', `${commit}`, '--changes', '--json')).stdout.trim().split('\n')
    assert.equal(new Set(changes.map((line) => JSON.parse(line).path)).size, 5_000)
    assert.deepEqual(JSON.parse(changes[3] ?? ''), {
      path: 'many/3/file-3',
      after: { length: 1, hashes: { sha256: hashOf('3') } },
    })
    const head = '"$0" "$@" | head -n 1'
    const log = [main, '--api', served.url.href, 'log', `${commit}`, '--changes', '--json']
    const seen = await execute('sh', ['-c', head, process.execPath, ...log])
    assert.deepEqual([seen.stderr, seen.stdout], ['', `${changes[0]}\n`], 'who has seen enough hears of no failure')
    assert.match((await run('log', `${commit}`, '--changes')).stdout, /^ {2}\+ +many\/0\/file-0 +1 byte +sha256:/)
    const downloaded = await run(
      'download',
      'many/0/file-0',
      'many/1/file-4999',
      '--out',
      'downloads',
      '--cache',
      'cache',
    )
    assert.equal(downloaded.code, 0, downloaded.stderr)
    assert.equal(await readFile(join(directory, 'downloads/many/1/file-4999'), 'utf8'), '4999')
    const checked = JSON.parse((await run('check', '--json')).stdout)
    assert.deepEqual([checked.valid, checked.targets >= 5_000], [true, true])
  })

  it('knows JSON Lines by their name, by how they begin, or because it is told', async () => {
    const line = (path: string) =>
      JSON.stringify({
        path,
        info: { length: 2, hashes: { sha256: hashOf('xx'), sha512: hashOf('xx', 'sha512') }, custom: { by: 'import' } },
      })
    await write('a.jsonl', [line('by/name')])
    await write('b', [line('by/content')])
    await write('c.csv', [line('by/flag')])
    for (const [path, ...args] of [
      ['by/name', 'a.jsonl'],
      ['by/content', 'b'],
      ['by/flag', 'c.csv', '--format', 'jsonl'],
    ] as const) {
      const { code, stdout, stderr } = await run('import', ...args, '--json', '--yes')
      assert.equal(code, 0, stderr)
      const document = JSON.parse(stdout)
      assert.deepEqual([document.artifacts, document.skipped, document.task.state], [1, 0, 'SUCCESS'])
      assert.match(document.import_id, /^[0-9a-f]{64}$/)
      assert.deepEqual((await show(path)).info.custom, { by: 'import' })
    }
  })

  it('sends nothing of a file with a broken line, and names its line', async () => {
    await write('broken.csv', [`fine;1;sha256;${hashOf('x')}`, 'broken', `fine/../../x;1;sha256;${hashOf('x')}`])
    const before = await uploads()
    const { code, stdout, stderr } = await run('import', 'broken.csv')
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /broken\.csv has 2 broken lines; nothing was sent\. .*--skip-invalid/)
    assert.match(stderr, /\n {2}line 2: It has 1 field\.[^\n]*\n {2}line 3: [^\n]*segment "\.\."/)
    const json = await run('import', 'broken.csv', '--json')
    const { error, broken, broken_count } = JSON.parse(json.stdout)
    assert.deepEqual([json.code, error.code, broken_count, broken[0].line, broken[1].line], [1, 'refused', 2, 2, 3])
    await write('one broken.csv', ['broken'])
    assert.match((await run('import', 'one broken.csv')).stderr, /Mend it, or leave it out with --skip-invalid/)
    assert.equal(await uploads(), before)
    assert.equal((await run('artifact', 'show', 'fine')).code, 1)
  })

  it('leaves broken lines out if it is told to, and lists them', async () => {
    await write('half.csv', ['x', `half;1;sha256;${hashOf('x')}`, `half;2;sha256;${hashOf('x')}`])
    const { code, stdout, stderr } = await run('import', 'half.csv', '--skip-invalid')
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^Imported 1 artifact; clients can see it/)
    assert.match(stderr, /2 broken lines left out:\n {2}line 1: .*\n {2}line 3: The same path as line 2/)
    assert.equal((await show('half')).info.length, 1)
  })

  it('refuses what is no file of artifacts, before it asks anybody', async () => {
    await write('empty.csv', [''])
    await write('large.csv', [''])
    await truncate(join(directory, 'large.csv'), 512 * 1024 * 1024 + 1)
    const cases: [string[], number, RegExp][] = [
      [['missing.csv'], 2, /missing\.csv cannot be read/],
      [['.'], 2, /cannot be read/],
      [['empty.csv'], 1, /holds no artifact; nothing was sent/],
      [['large.csv'], 1, /can have 536870912 \(512 MiB\)\. Split it by lines/],
      [['empty.csv', '--format', 'xml'], 2, /Allowed choices are csv, jsonl/],
      [[], 2, /missing required argument/],
    ]
    for (const [args, expected, why] of cases) {
      const { code, stderr } = await tuffet(['import', ...args], '', {
        cwd: directory,
        env: { TUFFET_API: 'http://127.0.0.1:9' },
      })
      assert.equal(code, expected, stderr)
      assert.match(stderr, why)
    }
  })

  it('says that nobody is there', async () => {
    await write('one.csv', [`one;1;sha256;${hashOf('x')}`])
    const { code, stderr } = await tuffet(['import', 'one.csv'], '', {
      cwd: directory,
      env: { TUFFET_API: 'http://127.0.0.1:9' },
    })
    assert.equal(code, 3, stderr)
  })
})
