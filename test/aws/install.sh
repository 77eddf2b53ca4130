#!/usr/bin/env bash
# Installs what stands in for AWS in the tests: ministack and cfn-lint (Python), versitygw (Go). What is up to date is skipped.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/.cache/aws
versitygw=v1.8.0
mkdir -p "$cache/bin"

install_ministack() {
  local wanted="$here/requirements.txt" venv="$cache/venv"
  # The copy is made last: it says that the whole of it was installed.
  cmp -s "$wanted" "$venv/requirements.txt" && return
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$venv/requirements.txt"
}

install_versitygw() {
  local binary="$cache/bin/versitygw"
  [ -e "$binary" ] && [ "$(cat "$binary.version" 2>/dev/null)" = "$versitygw" ] && return
  GOBIN="$cache/bin" CGO_ENABLED=0 go install -trimpath "github.com/versity/versitygw/cmd/versitygw@$versitygw"
  echo "$versitygw" >"$binary.version"
}

install_ministack
install_versitygw
