import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { it } from 'node:test'
import { allScenarios } from './crash-scenarios.ts'

const outcomes = new Map(allScenarios.map(([name]) => [name, Promise.withResolvers<string | undefined>()]))
const child = fork(new URL('crash-at-every-write.ts', import.meta.url))
child.on('message', ({ name, failure }: { name: string; failure?: string }) => outcomes.get(name)?.resolve(failure))
child.on('exit', (code) => {
  for (const { resolve } of outcomes.values()) resolve(`The process ended before this, with ${code}.`)
})

for (const [name, outcome] of outcomes)
  it(`Whoever dies over ${name} is followed by somebody who finishes it`, { timeout: 170_000 }, async () => {
    const failure = await outcome.promise
    assert.ok(failure === undefined, failure)
  })
