#!/usr/bin/env bash
# Installs what the interop tests need beside npm's packages: python-tuf and the two go-tufs. What is up to date is skipped.
set -eu

clients=$(cd "$(dirname "$0")/clients" && pwd)
cache=$(cd "$clients/../../.." && pwd)/.cache/interop
mkdir -p "$cache/bin"

install_python_tuf() {
  local wanted="$clients/requirements.txt" venv="$cache/venv"
  # The copy is made last: it says that the whole of it was installed.
  cmp -s "$wanted" "$venv/requirements.txt" && return
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$venv/requirements.txt"
}

build_go_client() {
  local source="$clients/$1" binary="$cache/bin/$1"
  [ -e "$binary" ] && [ -z "$(find "$source" "$clients/go-protocol" -type f -newer "$binary")" ] && return
  (cd "$source" && CGO_ENABLED=0 go build -trimpath -o "$binary" .)
  touch "$binary"
}

install_python_tuf
build_go_client go-tuf-v2
build_go_client go-tuf-v0
