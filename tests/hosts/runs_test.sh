#!/usr/bin/env bash
# The same run on one host and on several, by mpirun, by srun and as a job array: the same files, byte by byte, with the
# work shared evenly; and the same export of what it keeps.
#
# usage: runs_test.sh QUASAR   Exit status 77: hosts cannot be made here (an error where CI=true).
set -euo pipefail
quasar=$(readlink -f "$1")
# shellcheck source=tests/hosts/hosts.sh
. "$(dirname "$0")/hosts.sh" runs
cd "$work"

images=600
pictures $images
write_config direct
"$quasar" run direct.yaml >direct.log 2>&1 || fail "the run on one host"
"$quasar" export direct.yaml >>direct.log 2>&1 || fail "the export on one host"
"$sandbox" start 3 "$HOST_SANDBOX" --share "$work" --share "$(dirname "$quasar")" >start.log

# counted FILE...: pictures that each rank has embedded, one a line.
counted() { awk '/^quasar_embed_images_total/ {n[FILENAME] += $2} END {for (f in n) print n[f]}' "$@"; }

# run_on HOW: a run by that launcher from nothing. Sets `shares`, the pictures of each rank.
run_on() {
  local how=$1 ranks=${1: -1} files
  rm -rf "run-$how"
  write_config "$how"
  launch "$how" "$quasar" run "$how.yaml" >"$how.log" 2>&1 || fail "$how: status $?"
  same_result "$how"
  files=("run-$how"/metrics/rank-*.prom)
  [ ${#files[@]} -eq "$ranks" ] || fail "$how: metrics of ${#files[@]} ranks: ${files[*]}"
  mapfile -t shares < <(counted "${files[@]}")
  [ ${#shares[@]} -eq "$ranks" ] || fail "$how: not every rank has embedded something: ${shares[*]}"
  echo "$how: ${shares[*]} pictures"
}
# shared_evenly LIMIT: whether the largest and the smallest share differ by no more than this part of an even one.
shared_evenly() {
  printf '%s\n' "${shares[@]}" | awk -v all=$images -v limit="$1" '
    {sum += $1; if (NR == 1 || $1 > most) most = $1; if (NR == 1 || $1 < least) least = $1}
    END {exit !(sum == all && most - least <= limit * all / NR)}'
}
for how in mpirun1 mpirun2 mpirun3 srun2 srun3; do
  run_on $how
  # Ranks are alike only while nothing else wants the processors, and other tests do: each attempt that sees uneven
  # shares allows a little more. A rank that gets nothing like its share fails all of them.
  for limit in 0.3 0.4 0.5 0.6; do
    if shared_evenly $limit; then break; fi
    [ $limit != 0.6 ] || fail "$how: $images pictures are not shared evenly: ${shares[*]}"
    run_on $how
  done
done

# What is kept, on three hosts. .quasar has the export's own state.
for how in mpirun3 srun3; do
  launch $how "$quasar" export "$how.yaml" >>"$how.log" 2>&1 || fail "$how: status $? of the export"
  diff -r -x .quasar export-direct "export-$how" >&2 || fail "$how: another export than that on one host"
  [ -s "export-$how/00001.tar" ] || fail "$how: the export has no second shard"
done

# An array job over the nodes, each task with its part of the plan, and the steps that depend on it. More than two CPUs of
# eight, or one node would take all tasks.
write_config array
on host1 "$source/slurm/submit-pipeline" array.yaml --quasar "$quasar" --logs logs --array 3 --cpus-per-rank 5 >submitted
jobs_are_over() { [ -z "$(on head squeue -h 2>/dev/null)" ]; }
until_true 120 "the jobs of the pipeline are over" jobs_are_over
cat logs/*.log >array.log
[ -e run-array/manifest.csv ] || fail "the array job has left no manifest"
same_result array
on head squeue -h -t all -o '%j %N' | awk '/embed/ {print $2}' | sort -u >nodes
[ "$(wc -l <nodes)" -gt 1 ] || fail "all tasks of the array ran on $(cat nodes)"
echo "passed in $SECONDS s"
