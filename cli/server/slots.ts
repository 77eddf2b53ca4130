import { ApiError } from '../../shared/app/errors.ts'

/** Places for requests that are being answered. */
export interface Slots {
  /** Until it is disposed of. Throws ApiError 'too-many'. */
  take(name: string): Disposable
}

/**
 * So many places. Nobody is given more than are left for others: one alone has half of them at most, and whoever comes then half of the
 * rest, so that none who is slow or hasty keeps all others out.
 */
export function sharedSlots(count: number): Slots {
  const all = slots(count)
  const own = new Map<string, number>()
  return {
    take(name) {
      const has = own.get(name) ?? 0
      if (has >= all.free() && has > 0) {
        throw tooMany(`${name} has ${has} requests under way, and the other places are for others.`)
      }
      const slot = all.take()
      own.set(name, has + 1)
      return {
        [Symbol.dispose]() {
          slot[Symbol.dispose]()
          const left = (own.get(name) ?? 0) - 1
          if (left > 0) own.set(name, left)
          else own.delete(name)
        },
      }
    },
  }
}

/** So many places, whoever comes. */
export function slots(count: number) {
  let taken = 0
  return {
    free: () => count - taken,
    take(): Disposable {
      if (taken >= count) throw tooMany(`At most ${count} requests are answered at once.`)
      taken++
      return { [Symbol.dispose]: () => void taken-- }
    },
  }
}

function tooMany(why: string): ApiError {
  return new ApiError('too-many', 'Too many requests.', `${why} Try again in a second.`, {
    headers: { 'retry-after': '1' },
  })
}
