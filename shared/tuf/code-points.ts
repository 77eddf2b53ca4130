/** Negative, zero or positive as `left` comes before, at or after `right` in code-point order; `<` compares UTF-16 units. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let at = 0; at < length; at++) {
    const leftUnit = left.charCodeAt(at)
    const rightUnit = right.charCodeAt(at)
    if (leftUnit !== rightUnit) return rank(leftUnit) - rank(rightUnit)
  }
  return left.length - right.length
}

/** Surrogates stand for code points above U+FFFF, so they come after U+E000 to U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** The same keys in code-point order; may change the array. */
export function inOrder(keys: string[]): string[] {
  // Most keys are in order already, and seeing that is much cheaper than sorting them.
  return isSorted(keys) ? keys : keys.sort(compareCodePoints)
}

function isSorted(keys: readonly string[]): boolean {
  for (let at = 1; at < keys.length; at++) {
    if (compareCodePoints(keys[at - 1] ?? '', keys[at] ?? '') > 0) return false
  }
  return true
}
