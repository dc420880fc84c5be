#!/usr/bin/env bash
# What can be seen of the Slurm scripts without a Slurm: that shellcheck has nothing to say, what submit-pipeline
# submits, which command lines it refuses, and how step.sh treats what its quasar returns.
set -euo pipefail

source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/quasar-scripts-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0
failed() {
  echo "FAILED: $1" >&2
  failures=$((failures + 1))
}

if command -v shellcheck >/dev/null; then
  (cd "$source" && shellcheck -x slurm/*.sbatch slurm/step.sh slurm/submit-pipeline tools/slurm-sandbox tools/host-sandbox tests/slurm/*.sh tests/hosts/*.sh) ||
    failed "shellcheck complains"
elif [ "${CI:-}" = true ]; then
  failed "shellcheck is not installed"
fi

echo 'run: r' >c.yaml
submit() { "$source/slurm/submit-pipeline" "$@"; }
# has WORDS: the output of the last dry run has them, spaces included.
has() { grep -qF -- "$1" out || failed "submit-pipeline: no \"$1\" in: $(cat out)"; }
submit c.yaml --dry-run --nodes 4 --gpus-per-node 8 --cpus-per-gpu 12 --partition gpu --account=lab --time 4:00:00 --mem 200G \
  --warning 120 --sbatch --constraint=a100 -- --set run=out >out
[ "$(wc -l <out)" -eq 4 ] || failed "four jobs are a pipeline"
[ "$(grep -c -- '--partition=gpu --account=lab --time=4:00:00 --constraint=a100 --requeue --open-mode=append --signal=B:USR1@120' out)" -eq 4 ] ||
  failed "every job has the options common to all"
has '--nodes=4 --ntasks-per-node=8 --gpus-per-node=8 --cpus-per-task=12 --mem=200G --dependency=afterok:PLAN'
has 'embed.sbatch c.yaml --set run=out'
has '--dependency=afterok:EMBED:ANCHORS'
submit c.yaml --dry-run --array 32%8 --ranks-per-node 2 --cpus-per-rank 6 >out
has '--array=0-31%8 --nodes=1 --ntasks-per-node=2 --cpus-per-task=6'
has 'embed-array.sbatch c.yaml'

refuses() { # STATUS ARGUMENTS...
  local expected=$1 status=0
  shift
  submit "$@" --dry-run >out 2>&1 || status=$?
  [ "$status" -eq "$expected" ] || failed "submit-pipeline $*: status $status, not $expected"
}
refuses 2
refuses 2 c.yaml --nodes 0
refuses 2 c.yaml --array 3x
refuses 2 c.yaml --no-such-option 1
refuses 2 c.yaml d.yaml
refuses 4 none.yaml
refuses 4 c.yaml --quasar /none

# A scheduler and a quasar of our own: `steps` says what quasar does (`once N`: ends with N the first time; `gone N`: is
# ended without a word; `shards N`: the same, but for one more shard, N times; `lies N M`: says N, its launcher M; `stays
# N`: says N, its launcher does not end), `queue` what Slurm says of the job.
mkdir bin
printf '#!/bin/sh\ncat queue\n' >bin/squeue
# Slurm ends the processes of a job that it requeues, this one among them.
cat >bin/scontrol <<'END'
#!/bin/sh
echo "$@" >requeued
kill -TERM "$PPID" $$
END
cat >bin/quasar <<'END'
#!/usr/bin/env bash
end() { echo "$1" >"$QUASAR_RESULT"; exit "$1"; }
trap 'echo stop >>stops; end 75' USR1
trap 'echo term >>stops; exit 143' TERM
echo "$@" >>calls
read -r what number other <steps
case $what in
  wait) touch waiting; for _ in $(seq 600); do sleep 0.05; done ;;
  once) [ "$(wc -l <calls)" -gt 1 ] || end "$number" ;;
  lost) [ "$(wc -l <calls)" -gt 1 ] || exit "$number" ;;
  gone) exit "$number" ;;
  shards)
    mkdir -p r/embeddings
    if [ "$(wc -l <calls)" -le "$number" ]; then touch "r/embeddings/shard-$(wc -l <calls).h5"; exit 137; fi
    ;;
  lies) echo "$number" >"$QUASAR_RESULT"; exit "$other" ;;
  stays) echo "$number" >"$QUASAR_RESULT"; trap - TERM; for _ in $(seq 600); do sleep 0.05; done ;;
  deaf) trap 'echo stop >>stops' USR1; touch waiting; for _ in $(seq 600); do sleep 0.05; done ;;
  *) end "$what" ;;
esac
end 0
END
chmod +x bin/*
export PATH=$work/bin:$PATH QUASAR=$work/bin/quasar QUASAR_SLURM=$source/slurm
export SLURM_NTASKS=1 SLURM_JOB_ID=12 QUASAR_RETRY_PAUSE=0 QUASAR_LAUNCHER_GRACE=1

# step NAME STATUS REQUEUED SCRIPT ARGUMENTS...: runs a batch script; signals of `signals` are sent once quasar waits.
step() {
  local name=$1 expected=$2 requeued=$3 script=$4 status=0 signal job
  shift 4
  rm -f requeued calls stops waiting
  touch stops calls
  bash "$source/slurm/$script" "$@" 2>log &
  job=$!
  for signal in $signals; do
    for _ in $(seq 400); do [ -e waiting ] && break; sleep 0.05; done
    kill -"$signal" "$job"
    # Until it has been seen, the next signal could overtake it.
    for _ in $(seq 400); do grep -q "SIG$signal" log && break; sleep 0.05; done
    for _ in $(seq 400); do [ -s stops ] && break; sleep 0.05; done
  done
  wait "$job" || status=$?
  [ "$status" -eq "$expected" ] || failed "$name: status $status, not $expected: $(cat log)"
  [ "$(cat requeued 2>/dev/null || true)" = "$requeued" ] || failed "$name: \"$(cat requeued 2>/dev/null)\" instead of \"$requeued\""
  [ -z "$requeued" ] || grep -q 'is requeued and will continue' log || failed "$name: requeued, but the log says $(cat log)"
}

echo 'RUNNING None' >queue
signals=
echo 0 >steps
step 'success' 0 '' embed.sbatch c.yaml
step 'two steps' 0 '' rank.sbatch c.yaml
[ "$(cat calls)" = $'score c.yaml\nrank c.yaml' ] || failed "rank.sbatch calls: $(cat calls)"
echo 4 >steps
step 'a failure is handed on' 4 '' rank.sbatch c.yaml
[ "$(wc -l <calls)" -eq 1 ] || failed "a step after one that failed"
echo gone 139 >steps
step 'a crash is no interruption' 139 '' embed.sbatch c.yaml
[ "$(wc -l <calls)" -eq 7 ] || failed "a step that crashes is started $(wc -l <calls) times"
QUASAR_MAX_RETRIES=0 step 'a crash is handed on' 139 '' embed.sbatch c.yaml
[ "$(wc -l <calls)" -eq 1 ] || failed "started again, though that was not wanted"
for how in 'once 10' 'lost 137' 'lost 1' 'lost 0'; do
  status=${how#* }
  echo "$how" >steps
  step "a lost rank ($status) costs a start" 0 '' rank.sbatch c.yaml
  [ "$(cat calls)" = $'score c.yaml\nscore c.yaml\nrank c.yaml' ] || failed "after a lost rank: $(cat calls)"
done
echo 'lies 0 1' >steps
step 'done, whatever the launcher says' 0 '' embed.sbatch c.yaml
echo 'lies 4 0' >steps
step 'failed, whatever the launcher says' 4 '' embed.sbatch c.yaml
echo 'gone 0' >steps
step 'a launcher that does nothing has not succeeded' 10 '' embed.sbatch c.yaml
[ "$(wc -l <calls)" -eq 7 ] || failed "what never ran is started $(wc -l <calls) times"
grep -q 'has not said that it has ended' log || failed "a launcher that did nothing: $(cat log)"
echo 'gone 127' >steps
step 'no such launcher' 127 '' embed.sbatch c.yaml
[ "$(wc -l <calls)" -eq 1 ] || failed "a launcher that is missing is called again"
echo 'stays 0' >steps
step 'a launcher that stays is ended' 0 '' embed.sbatch c.yaml
echo 'shards 9' >steps
step 'what makes progress is started as often as it takes' 0 '' embed.sbatch c.yaml
[ "$(wc -l <calls)" -eq 10 ] || failed "a step that makes progress is started $(wc -l <calls) times"
rm -r r
QUASAR_MAX_RETRIES=1 step 'also where the run directory is an option' 0 '' embed.sbatch none.yaml --set run=r
rm -r r
QUASAR_MAX_RETRIES=1 step 'progress elsewhere does not count' 137 '' embed.sbatch c.yaml --set=run=elsewhere
[ -z "$(find . -name '.quasar-*')" ] || failed "left behind: $(find . -name '.quasar-*')"
echo 75 >steps
step 'interrupted' 75 'requeue 12' embed.sbatch c.yaml
SLURM_RESTART_COUNT=100 step 'came back too often' 75 '' embed.sbatch c.yaml
echo 'COMPLETING None' >queue
step 'cancelled' 75 '' embed.sbatch c.yaml
grep -q 'Slurm has ended job 12' log || failed "cancelled: $(cat log)"
echo 'COMPLETING TimeLimit' >queue
step 'time limit passed' 75 'requeue 12' embed.sbatch c.yaml
echo 'RUNNING None' >queue
export SLURM_ARRAY_JOB_ID=12 SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_COUNT=4
step 'the last task of an array has its number' 75 'requeue 12_3' embed-array.sbatch c.yaml
[ "$(cat calls)" = 'embed c.yaml --part 3/4' ] || failed "embed-array.sbatch calls: $(cat calls)"
SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=1 step 'part of an array' 2 '' embed-array.sbatch c.yaml
QUASAR_PARTS=9 SLURM_ARRAY_TASK_COUNT=1 step 'part of an array of known size' 75 'requeue 12_3' embed-array.sbatch c.yaml
[ "$(cat calls)" = 'embed c.yaml --part 3/9' ] || failed "embed-array.sbatch calls: $(cat calls)"
unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID
echo wait >steps
signals=USR1 step 'warned' 75 'requeue 12' embed.sbatch c.yaml
signals=TERM step 'preempted' 75 'requeue 12' embed.sbatch c.yaml
[ "$(cat stops)" = stop ] || failed "SIGTERM was handed on as it is: $(cat stops)"
echo deaf >steps
signals='USR1 USR1 TERM' step 'one warning is enough, the end is the end' 75 'requeue 12' embed.sbatch c.yaml
[ "$(cat stops)" = $'stop\nterm' ] || failed "signals handed on: $(cat stops)"
QUASAR=/none step 'no program' 4 '' embed.sbatch c.yaml
QUASAR_LAUNCH=magic step 'no launcher' 2 '' embed.sbatch c.yaml

if [ "$failures" -gt 0 ]; then exit 1; fi
echo 'slurm scripts: all checks passed'
