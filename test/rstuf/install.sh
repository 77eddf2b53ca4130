#!/usr/bin/env bash
# Installs the real `rstuf` command and what drives it, pinned. What is up to date is skipped.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=$(cd "$here/../.." && pwd)/.cache/rstuf/venv
wanted="$here/requirements.txt"

# The copy is made last: it says that the whole of it was installed.
cmp -s "$wanted" "$venv/requirements.txt" && exit
python3 -m venv --clear "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$wanted"
"$venv/bin/pip" check
cp "$wanted" "$venv/requirements.txt"
