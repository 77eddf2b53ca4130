import type { WriteAheadLog } from '../adapters/local/write-ahead-log.ts'
import { collect } from '../repository/collect.ts'
import { readCurrent } from '../repository/current.ts'
import { keysNotHeld } from '../repository/keys-not-held.ts'
import { heldOffline, heldRoot, toRenew } from '../repository/renewal.ts'
import type { Repository } from '../repository/repository.ts'
import { keyWarnings } from './key-warnings.ts'
import type { Logger } from './logger.ts'
import { renewalWarnings } from './renewal-warnings.ts'

/** What the embedded service does now and then beside its work. */
export interface Housekeeping {
  /** Takes away what is not needed, empties the log of writes, and warns; once the round before has ended. */
  goRound(): void
  /** The log of writes is empty then. */
  end(): Promise<void>
}

/** What fails is logged, and done the next time. */
export function beginHousekeeping(repository: Repository, writes: WriteAheadLog, log: Logger): Housekeeping {
  const warn = warner(repository, log)
  // What a crash has left of the log is not to be there when the next one leaves more.
  let rounds = settle(writes, 'older', log).then(warn)
  return {
    goRound() {
      rounds = rounds
        .then(() => tidy(repository, log))
        .then(() => settle(writes, 'older', log))
        .then(warn)
    },
    async end() {
      await rounds
      await settle(writes, 'all', log)
    },
  }
}

/** Takes away what nobody needs any more. */
async function tidy(repository: Repository, log: Logger): Promise<void> {
  try {
    const collected = await collect(repository, { records: true })
    if (Object.values(collected).some((count) => count > 0)) log.info({ ...collected }, 'collected')
  } catch (err) {
    log.error({ err }, 'what is not needed any more could not be taken away; the next run tries again')
  }
}

/** Empties the log that the stores write through, so that it is short whenever it has to be read. */
async function settle(writes: WriteAheadLog, what: 'all' | 'older', log: Logger): Promise<void> {
  try {
    await writes.settle(what)
  } catch (err) {
    log.error(
      { err },
      'the log of writes could not be emptied; what it holds is safe, and the next run or a restart tries again',
    )
  }
}

/** Says in time what the service cannot sign itself: what is for people to sign, and what it should sign and lacks the keys for. */
function warner(repository: Repository, log: Logger): () => Promise<void> {
  const warn = renewalWarnings(log)
  const warnOfKeys = keyWarnings(log)
  return async () => {
    try {
      const current = await readCurrent(repository)
      if (current === undefined) return
      const { clock, signers } = repository.ports
      const now = clock.now()
      warnOfKeys(keysNotHeld(current, signers), signers, now)
      const [root, offline] = await Promise.all([heldRoot(repository, current), heldOffline(repository, current)])
      warn(toRenew(root, offline, now), now)
    } catch (err) {
      log.error({ err }, 'whether holders have to be asked could not be seen; the next run tries again')
    }
  }
}
