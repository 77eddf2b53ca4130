#!/usr/bin/env bash
# Installs what the tests of keys on tokens need: SoftHSM2, a token in software, and the package that speaks to it, in the very
# version that the command tells its users to install. What is up to date is skipped.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
cache=$checkout/.cache/pkcs11
package=$(sed -n "s/^const release = '\(.*\)'$/\1/p" "$checkout/cli/pkcs11/library.ts")

if ! command -v softhsm2-util >/dev/null; then
  command -v apt-get >/dev/null || { echo 'softhsm2-util is missing: install SoftHSM 2.6 (on macOS: brew install softhsm).' >&2; exit 1; }
  as_root=$([ "$(id -u)" = 0 ] || echo sudo)
  $as_root apt-get install --yes --quiet --no-install-recommends softhsm2
fi

# The name is written last: it says that the whole of it was installed.
[ "$(cat "$cache/installed" 2>/dev/null)" = "$package" ] && exit
mkdir -p "$cache"
npm install --prefix "$cache" --no-save --no-package-lock --ignore-scripts=false --loglevel=error "$package"
echo "$package" >"$cache/installed"
