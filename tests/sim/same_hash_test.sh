#!/usr/bin/env bash
# One trace hash, whoever compiled the simulator and however: the release build against clang++
# at another optimisation level.
#
#   same_hash_test.sh TRACE_HASH SOURCES BUILD_FOLDER
set -euo pipefail
program=$1 sources=$2 folder=$3
command -v clang++ >/dev/null || { echo "SKIPPED: clang++ is not installed"; exit 77; }
cmake -S "$sources" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_CXX_FLAGS=-O1 >/dev/null
cmake --build "$folder" --target trace_hash -- --quiet
scenarios=("$sources"/scenarios/*.yaml)
run() { "$1" 7 "${scenarios[@]}"; }
first=$(run "$program")
echo "$first"
[[ $(wc -l <<<"$first") -eq ${#scenarios[@]} ]]
[[ $(run "$program") == "$first" ]] || { echo "a second run differs"; exit 1; }
other=$(run "$folder/bin/trace_hash")
[[ $other == "$first" ]] || { printf 'clang++ -O1:\n%s\n' "$other"; exit 1; }
