#!/bin/sh
# Runs a function's process with the memory and the share of a processor that Lambda gives to its memory: a whole one at 1,769 MiB.
# Needs root and control groups of version 1. What Lambda would end for its memory, the kernel ends.
set -eu
groups=/sys/fs/cgroup own=tuffet-function-$$
for kind in cpu memory; do
  # Those of processes that have ended.
  rmdir "$groups/$kind"/tuffet-function-* 2>/dev/null || true
  mkdir "$groups/$kind/$own"
done
echo 20000 >"$groups/cpu/$own/cpu.cfs_period_us"
echo $((20000 * AWS_LAMBDA_FUNCTION_MEMORY_SIZE / 1769)) >"$groups/cpu/$own/cpu.cfs_quota_us"
echo $((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 1024 * 1024)) >"$groups/memory/$own/memory.limit_in_bytes"
for kind in cpu memory; do echo $$ >"$groups/$kind/$own/cgroup.procs"; done
exec "$@"
