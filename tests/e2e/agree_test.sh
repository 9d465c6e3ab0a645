#!/usr/bin/env bash
# Real and simulated agree: each small scenario of tests/agree runs in a real cluster and in the simulator, and every object
# goes through the same states in both. They mostly wait: a few clusters take them one after another, the longest first.
here=$(dirname "${BASH_SOURCE[0]}")
source "$here/lib.sh" "$1"
clusters=3
# The port that every first cluster takes is another test's as soon as a daemon is away: none of the three shall have it.
run start >/dev/null
for ((i = 0; i < clusters; i++)); do "$minik" -p "$profile-$i" start >/dev/null; done
compare() {
  local output code=0 begin=$SECONDS
  output=$("$minik" sim compare "$1" -p "$profile-$slot" 2>&1) || code=$?
  printf -- '--- %s, %d s\n%s\n' "$(basename "$1" .yaml)" $((SECONDS - begin)) "$output"
  return $code
}
export -f compare
export minik profile
# Exit code 123 when one of them fails, after all.
awk '/^  duration:/ {print $2 + 0, FILENAME}' "$here"/../agree/scenarios/*.yaml | sort -n -r | cut -d ' ' -f 2 |
  xargs -P $clusters -n 1 --process-slot-var=slot bash -c 'compare "$1"' _
