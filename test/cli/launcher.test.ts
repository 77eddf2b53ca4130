import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'

/** In place of the command: says who it is and what it was given, and with --wait stays until it is told to stop. */
const standIn = `
const args: string[] = process.argv.slice(2)
if (args.includes('--wait')) {
  const alive = setInterval(() => {}, 1000)
  process.on('SIGTERM', () => {
    console.log('told to stop')
    clearInterval(alive)
  })
}
console.log(JSON.stringify({ pid: process.pid, args }))
`

/** A checkout as `npm ci` leaves it: `bin` is the link that npm makes. */
async function checkout(): Promise<{ path: string; bin: string; node: string }> {
  const path = join(await mkdtemp(join(tmpdir(), 'tuffet-')), 'a checkout with spaces')
  const node = join(path, 'node_modules', 'node-any-platform', 'bin', 'node')
  const bin = join(path, 'node_modules', '.bin', 'tuffet')
  for (const folder of ['node_modules/.bin', 'node_modules/@tuffet', 'node_modules/node-any-platform/bin']) {
    await mkdir(join(path, folder), { recursive: true })
  }
  await cp(join(import.meta.dirname, '../../cli/bin'), join(path, 'cli', 'bin'), { recursive: true })
  await writeFile(join(path, 'package.json'), '{ "type": "module" }')
  await writeFile(join(path, 'cli', 'main.ts'), standIn)
  await symlink(process.execPath, node)
  await symlink('../../cli', join(path, 'node_modules', '@tuffet', 'cli'))
  await symlink('../@tuffet/cli/bin/tuffet', bin)
  return { path, bin, node }
}

/** The machine's own Node, first on PATH. */
async function machineNode(path: string, script: string): Promise<string> {
  const folder = join(path, 'machine')
  await mkdir(folder)
  await writeFile(join(folder, 'node'), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, 'node'), 0o755)
  return `${folder}:/usr/bin:/bin`
}

describe('node_modules/.bin/tuffet', () => {
  let tree: Awaited<ReturnType<typeof checkout>>
  beforeEach(async () => {
    tree = await checkout()
  })
  afterEach(() => rm(join(tree.path, '..'), { recursive: true, force: true }))

  it('works by its full path from any directory, and leaves the arguments as they are', () => {
    const args = ['artifact', 'add', 'two words', '', '*', '$HOME', '--base=/']
    const run = spawnSync(tree.bin, args, { cwd: tmpdir(), encoding: 'utf8' })
    assert.equal(run.stderr, '')
    assert.deepEqual(JSON.parse(run.stdout).args, args)
  })

  it('works by a relative path, and through another link to it', async () => {
    const relative = spawnSync('node_modules/.bin/tuffet', { cwd: tree.path, encoding: 'utf8' })
    assert.equal(relative.status, 0, relative.stderr)
    const link = join(tree.path, 'linked')
    await symlink(tree.bin, link)
    const linked = spawnSync(link, { cwd: tmpdir(), encoding: 'utf8' })
    assert.equal(linked.status, 0, linked.stderr)
  })

  it('is the service itself, so that SIGTERM reaches it', async () => {
    const service = spawn(tree.bin, ['--wait'], { cwd: tmpdir() })
    let output = ''
    service.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output === '') service.kill('SIGTERM')
      output += text
    })
    const [code, signal] = await once(service, 'close')
    assert.deepEqual([code, signal], [0, null])
    const [first = '', second] = output.split('\n')
    assert.equal(JSON.parse(first).pid, service.pid)
    assert.equal(second, 'told to stop')
  })

  it('prefers the Node that npm brought to that of the machine', async () => {
    const PATH = await machineNode(tree.path, 'echo v99.0.0')
    const run = spawnSync(tree.bin, { encoding: 'utf8', env: { PATH } })
    assert.equal(JSON.parse(run.stdout).pid, run.pid)
  })

  it('takes the Node of the machine where npm brought none, if it is new enough', async () => {
    await rm(tree.node)
    const PATH = await machineNode(tree.path, `exec '${process.execPath}' "$@"`)
    const run = spawnSync(tree.bin, { encoding: 'utf8', env: { PATH } })
    assert.equal(JSON.parse(run.stdout).pid, run.pid)
  })

  it('says in one sentence what to do if there is none, or an old one', async () => {
    await rm(tree.node)
    const PATH = await machineNode(tree.path, 'echo v20.19.0')
    const run = spawnSync(tree.bin, { encoding: 'utf8', env: { PATH } })
    assert.equal(run.status, 1)
    assert.equal(run.stdout, '')
    assert.match(run.stderr, /^Tuffet needs Node 24: run 'npm ci' in .*\/a checkout with spaces, .*\.\n$/)
  })
})
