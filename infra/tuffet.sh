#!/bin/sh
# The command of the installed package, on Node 24: the one that npm installed with it, or else the machine's own.
bin=$(dirname "$(readlink -f "$0")")
package=$(cd "$bin/../.." && pwd)
for node in "$package"/node_modules/node-*/bin/node "$package"/../node-*/bin/node; do
  [ -x "$node" ] && exec "$node" "$bin/../cli/main.js" "$@"
done
exec node "$bin/../cli/main.js" "$@"
