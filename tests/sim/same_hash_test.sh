#!/usr/bin/env bash
# One trace hash, whoever compiled the simulator and however: the release build against clang++ at another optimisation
# level, under the sanitizers, which also lay memory out anew.
#
#   same_hash_test.sh TRACE_HASH
set -euo pipefail
cd "$(dirname "$0")/../.."
program=$1
command -v clang++ >/dev/null || { echo "SKIPPED: clang++ is not installed"; exit 77; }
tests/fuzz/build trace_hash
scenarios=(scenarios/*.yaml)
# Two at a time, in any order.
run() { printf '%s\n' "${scenarios[@]}" | xargs -P 2 -n 1 "$1" 7 | sort; }
first=$(run "$program")
echo "$first"
[[ $(wc -l <<<"$first") -eq ${#scenarios[@]} ]]
other=$(run build/fuzz/bin/trace_hash)
[[ $first == "$other" ]] || { printf 'clang++ -O0:\n%s\n' "$other"; exit 1; }
