import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { Updater } from 'tuf-js'
import { publish } from '../../shared/repository/publish.ts'
import type { BootstrapRequest } from '../../shared/repository/task.ts'
import { parseJson } from '../../shared/tuf/json.ts'
import { roleName, targetPath } from '../../shared/tuf/names.ts'
import { signRoot } from '../support/keys.ts'
import { addRequest, bootstrapped, run, type TestRepository } from '../support/repository.ts'

/** The address of the repository's metadata, as long as the test runs. */
async function serve({ ports }: TestRepository, test: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    void ports.metadata.read(decodeURIComponent((request.url ?? '').slice(1))).then((stored) => {
      response.writeHead(stored === undefined ? 404 : 200).end(stored?.bytes)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  test.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What tuf-js, which begins anew or goes on with what it kept, says of these paths: their lengths. */
async function look(url: string, dir: string, repository: TestRepository, paths: readonly string[]) {
  await mkdir(dir, { recursive: true })
  const root = await repository.ports.metadata.read('1.root.json')
  assert.ok(root)
  await writeFile(join(dir, 'root.json'), root.bytes, { flag: 'wx' }).catch(() => {})
  const updater = new Updater({ metadataDir: dir, metadataBaseUrl: url })
  await updater.refresh()
  return Promise.all(paths.map(async (path) => (await updater.getTargetInfo(path))?.length))
}

const custom = (name: string, paths: readonly string[]) => ({
  name: roleName(name),
  terminating: false,
  keyids: [],
  threshold: 1,
  paths,
})

const delegations: Readonly<Record<string, BootstrapRequest['delegations']>> = {
  'succinct hash bins': { delegation: 'succinct_roles', number: 16 },
  'classic hash bins': { delegation: 'path_hash_prefixes', number: 16 },
  'custom roles': { keys: {}, roles: [custom('files', ['file-*']), custom('rest', ['*', '*/*'])] },
}

for (const [name, flavour] of Object.entries(delegations)) {
  it(`tuf-js reads a repository with ${name} at every stage, with fresh and with kept state`, async (test) => {
    const repository = await bootstrapped({ delegations: flavour })
    const url = await serve(repository, test)
    const directory = await mkdtemp(join(tmpdir(), 'tuffet-tuf-js-'))
    test.after(() => rm(directory, { recursive: true }))
    let stage = 0
    const sees = async (paths: readonly string[], lengths: readonly (number | undefined)[]) => {
      assert.deepEqual(await look(url, join(directory, 'kept'), repository, paths), lengths)
      assert.deepEqual(await look(url, join(directory, String(++stage)), repository, paths), lengths)
    }

    await sees(['file-1'], [undefined])
    await run(repository, addRequest(['file-1', 'dir/file', 'a+b'], 5))
    await sees(['file-1', 'dir/file', 'a+b', 'file-2'], [5, 5, 5, undefined])
    await run(repository, { kind: 'remove_artifacts', paths: [targetPath('file-1')], publish: true })
    await run(repository, addRequest(['dir/file'], 6))
    await sees(['file-1', 'dir/file'], [undefined, 6])
    await run(repository, { kind: 'force_online_metadata_update', roles: [] })
    await sees(['file-1', 'dir/file'], [undefined, 6])
    const { rootKeys: root, online } = repository
    const next = signRoot({ version: 2, root, online, threshold: root.length })
    await run(repository, { kind: 'metadata_update', root: parseJson(next.bytes), compromised: false })
    await publish(repository)
    await sees(['dir/file'], [6])
  })
}
