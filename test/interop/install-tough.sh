#!/usr/bin/env bash
# Builds the tough client, which takes part with `WITH_TOUGH=1`. It takes minutes, so it is not part of install.sh.
set -eu

clients=$(cd "$(dirname "$0")/clients" && pwd)
cache=$(cd "$clients/../../.." && pwd)/.cache/interop
mkdir -p "$cache/bin"

cargo build --quiet --release --locked --manifest-path "$clients/tough/Cargo.toml" --target-dir "$cache/tough"
cp "$cache/tough/release/tough-driver" "$cache/bin/tough"
