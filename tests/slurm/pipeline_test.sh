#!/usr/bin/env bash
# Submits whole runs to a real Slurm and interrupts them midway: what comes out is what an undisturbed run on this
# machine makes, byte by byte.
#
#   limit   an MPI job under srun that runs into its time limit, is warned, and is requeued by its own batch script
#   array   a job array under mpirun, of which one task is warned; it alone is requeued
#   cancel  an embed job that its user cancels: it saves, and does not come back
#
# usage: pipeline_test.sh QUASAR   Exit status 77: Slurm is not installed (an error where CI=true).
set -euo pipefail

quasar=$1
source=$(cd "$(dirname "$0")/../.." && pwd)
for program in sbatch slurmctld slurmd munged; do
  if ! PATH=$PATH:/usr/sbin command -v "$program" >/dev/null; then
    echo "skipped: $program is not installed; on Debian: apt-get install slurm-wlm munge"
    [ "${CI:-}" = true ] && exit 1
    exit 77
  fi
done

work=$(mktemp -d "${TMPDIR:-/tmp}/quasar-slurm-XXXXXX")
finish() {
  local status=$?
  trap '' INT TERM
  jobs -p | xargs -r kill 2>/dev/null || true
  let_go limit array cancel 2>/dev/null || true
  if [ "$status" -ne 0 ]; then
    SLURM_CONF=$work/slurm/slurm.conf squeue 2>/dev/null || true
    tail -n 40 "$work"/logs-*/*.log "$work"/cancel.log "$work"/slurm/slurm*.log 2>/dev/null || true
  fi
  "$source/tools/slurm-sandbox" stop "$work/slurm"
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "FAILED: $1" >&2
  exit 1
}

# A machine under load may be slow; a deadline only ends what would never end.
deadline=$((SECONDS + 300))
# until_true WHAT COMMAND...: polls.
until_true() {
  local what=$1
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain until $what"
    sleep 0.02
  done
}

# Sets `found` to the ranks that run `quasar embed CONFIG ...`, not their launchers.
find_ranks() {
  mapfile -t found < <(pgrep -f -- "^$quasar embed $1")
  [ ${#found[@]} -gt 0 ]
}

any_shard() { compgen -G "$1/embeddings/shard-*.h5" >/dev/null; }
has_begun() { any_shard "$1" && find_ranks "$2"; }

# halt NAME WHAT COMMAND...: stops the ranks that COMMAND has found as soon as it finds them. Ranks are halted until a
# signal of Slurm's is there, so that it finds them midway on a machine of any speed.
halt() {
  local name=$1 what=$2
  shift 2
  until_true "$what" "$@"
  kill -STOP "${found[@]}"
  echo "${found[@]}" >"$work/halted-$name"
}
# let_go NAMES...: those ranks may go on.
let_go() {
  local name pids
  for name in "$@"; do
    read -r -a pids <"$work/halted-$name" || continue
    kill -CONT "${pids[@]}" 2>/dev/null || true
  done
}
file_exists() { [ -s "$1" ]; }

log_says() { grep -qs -- "$2" "$1"; }
no_jobs() { [ -z "$(squeue -h 2>/dev/null)" ]; }
job_of() { awk -v step="$2" '$1 == step {print $2}' "$1"; }

write_config() {
  cat >"$work/$1.yaml" <<END
run: $work/run-$1
corpus: {directory: $work/pictures, shard_size: 3}
encoder: {batch_size: 2}
# A halted rank is no hung decoder.
decode: {timeout_s: 3600}
embed: {encode_threads: 1, decode_threads: 1}
anchors:
  quality: $source/anchors/mini-quality.h5
  texture:
    corpus: {directory: $work/good}
    distortions: {kinds: [jpeg], levels: [4]}
END
}

"$quasar" scenes "$work/pictures" --count 120 --width 128 --height 128
# The same pictures again: a longer run without more rendering.
for copy in b c; do cp -rl "$work/pictures" "$work/$copy"; done
mv "$work"/[bc] "$work/pictures"
"$quasar" scenes "$work/good" --count 4 --width 128 --height 128 --seed 5
for name in direct limit array cancel; do write_config "$name"; done
"$quasar" run "$work/direct.yaml" >"$work/direct.log" 2>&1 || fail "the undisturbed run: $(cat "$work/direct.log")"

QUASAR_SANDBOX_CPUS=16 "$source/tools/slurm-sandbox" start "$work/slurm"
eval "$("$source/tools/slurm-sandbox" env "$work/slurm")"
cd "$work"

submit() {
  local name=$1
  shift
  "$source/slurm/submit-pipeline" "$work/$name.yaml" --quasar "$quasar" --logs "$work/logs-$name" "$@" >"$work/jobs-$name"
}

# Slurm looks at time limits every 30 s, so that this warning comes 15 to 45 s after the start.
submit limit --ranks-per-node 2 --time 2 --warning 75 --launch srun
submit array --ranks-per-node 2 --array 3 --launch mpirun
cancelled=$(QUASAR=$quasar QUASAR_SLURM=$source/slurm sbatch --parsable --ntasks=2 --output="$work/cancel.log" \
  "$source/slurm/embed.sbatch" "$work/cancel.yaml")
array_log=$work/logs-array/quasar-embed-array-$(job_of jobs-array embed)_1.log
limit_log=$work/logs-limit/quasar-embed-$(job_of jobs-limit embed).log

halt limit "the job that will meet its limit has finished a shard" has_begun "$work/run-limit" "$work/limit.yaml" &
halt cancel "the job that will be cancelled has finished a shard" has_begun "$work/run-cancel" "$work/cancel.yaml" &
halt array "an array task embeds" find_ranks "$work/array.yaml --part 1/3" &

until_true "the job to cancel is halted" file_exists "$work/halted-cancel"
scancel "$cancelled"
until_true "the array task is halted" file_exists "$work/halted-array"
scancel --batch --signal=USR1 "$(job_of jobs-array embed)_1"
until_true "the array task is warned" log_says "$array_log" 'SIGUSR1: asking quasar to stop'
let_go array
until_true "the array task is requeued" log_says "$array_log" 'is requeued and will continue'

# Slurm lets the ranks go on, so that they can follow its SIGTERM.
until_true "the cancelled job has saved" log_says "$work/cancel.log" 'interrupted: Slurm has ended job'

until_true "the time limit is near" log_says "$limit_log" 'SIGUSR1: asking quasar to stop'
# Before its ranks go on: these shards are what must survive.
until_true "the job is halted" file_exists "$work/halted-limit"
kept=("$work"/run-limit/embeddings/shard-*.h5)
[ ${#kept[@]} -lt 120 ] || fail "the job ended before it could be halted"
stat -c '%n %i %Y' "${kept[@]}" >"$work/kept"
let_go limit
until_true "the job is requeued" log_says "$limit_log" 'is requeued and will continue'

until_true "all jobs have ended" no_jobs
! log_says "$work/cancel.log" 'start 2)' || fail "the cancelled job came back"
[ ! -e "$work/run-cancel/embeddings.h5" ] || fail "the cancelled job was not stopped midway"
log_says "$limit_log" 'start 2)' || fail "the job did not start again"
stat -c '%n %i %Y' "${kept[@]}" | cmp - "$work/kept" || fail "finished shards were embedded again"
for task in 0 2; do
  ! log_says "${array_log%_1.log}_$task.log" 'start 2)' || fail "array task $task was requeued with its neighbour"
done
log_says "$array_log" 'start 2)' || fail "the array task did not start again"
for name in limit array; do
  for file in manifest.csv manifest.jsonl anchors/texture.h5; do
    cmp "$work/run-direct/$file" "$work/run-$name/$file" || fail "$name: another $file than that of the undisturbed run"
  done
  [ -e "$work/run-$name/embeddings.h5" ] || fail "$name: no embeddings.h5"
done
echo "passed in $SECONDS s: ${#kept[@]} of 120 shards were finished when the limit came"
