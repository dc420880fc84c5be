# What the tests over several hosts share; sourced with the name of the test. Works in a folder of its own, `work`, which
# all hosts see, and ends the test's sandbox with the test.
# shellcheck shell=bash disable=SC2034,SC2154
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sandbox=$source/tools/host-sandbox

# Exit status 77 says "skipped" to ctest; where CI=true, what cannot be tested has failed.
cannot() {
  echo "skipped: $1"
  [ "${CI:-}" = true ] && exit 1
  exit 77
}
[ "$(id -u)" -eq 0 ] || cannot "making hosts needs root"
for program in ip unshare nsenter mpirun slurmctld slurmd munged sbatch; do
  PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || cannot "$program is not installed; tools/setup installs it"
done
unshare --net --uts --mount --ipc true 2>/dev/null || cannot "this root may not make namespaces"

work=$(mktemp -d "${TMPDIR:-/tmp}/quasar-hosts-$1-XXXXXX")
export HOST_SANDBOX=$work/sandbox
finish() {
  local status=$?
  trap '' INT TERM
  [ ! -d "$HOST_SANDBOX" ] || "$sandbox" stop || true
  if [ "$status" -ne 0 ]; then tail -n 60 "$work"/*.log 2>/dev/null || true; fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "FAILED after $SECONDS s: $1" >&2
  exit 1
}

# until_true SECONDS WHAT COMMAND...: polls.
until_true() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$limit" ] || fail "waited in vain until $what"
    sleep 0.05
  done
}
says() { grep -qsE -- "$2" "$1"; }

on() { "$sandbox" on "$@"; }
# idle_nodes N: whether so many nodes take jobs.
idle_nodes() { [ "$(on head sinfo -h -p main -t idle -o %D 2>/dev/null)" = "$1" ]; }

# start LOG COMMAND...: in the background; sets `job`.
start() {
  "${@:2}" >"$1" 2>&1 &
  job=$!
}
# ends LIMIT: waits for `job` and sets `status` and `took`, the seconds since this call. A job beyond LIMIT has failed.
ends() {
  local limit=$1 begin=$EPOCHREALTIME
  (
    sleep "$limit"
    kill -KILL "$job"
  ) 2>/dev/null &
  local clock=$!
  status=0
  wait "$job" 2>/dev/null || status=$?
  took=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN {printf "%.1f", b - a}')
  awk -v took="$took" -v limit="$limit" 'BEGIN {exit !(took < limit)}' || late=yes
  kill "$clock" 2>/dev/null || true
  pkill -P "$clock" 2>/dev/null || true
  wait "$clock" 2>/dev/null || true
}

# launch HOW WORDS...: the words on every host; HOW is mpirunN or srunN, over N hosts, one rank on each.
launch() {
  local how=$1 passed=() name
  shift
  case $how in
    mpirun*)
      # Like any ssh, the sandbox's hands on no environment; ranks on other BLAS kernels would give other last digits.
      for name in QUASAR_TEST_STOP QUASAR_DATA_DIR OPENBLAS_CORETYPE; do
        [ -z "${!name:-}" ] || passed+=(-x "$name")
      done
      "$sandbox" mpirun --bind-to none -n "${how#mpirun}" "${passed[@]}" "$@"
      ;;
    srun*) on host1 srun --quiet --mpi=pmix --kill-on-bad-exit=0 --nodes="${how#srun}" --ntasks="${how#srun}" "$@" ;;
  esac
}

# pictures COUNT: makes so many below $work/pictures, and some good ones to make anchors of below $work/good. A quarter of
# them is rendered.
pictures() {
  "$quasar" scenes "$work/pictures" --count $(($1 / 4)) --width 96 --height 96 >/dev/null 2>&1
  local copy
  for copy in b c d; do cp -rl "$work/pictures" "$work/$copy"; done
  mv "$work"/[bcd] "$work/pictures"
  "$quasar" scenes "$work/good" --count 8 --width 96 --height 96 --seed 5 >/dev/null 2>&1
}

# write_config NAME: $work/NAME.yaml of a run in $work/run-NAME.
write_config() {
  cat >"$work/$1.yaml" <<END
run: $work/run-$1
corpus: {directory: $work/pictures, shard_size: 8}
encoder: {batch_size: 4}
embed: {encode_threads: 1, decode_threads: 1, stall_timeout: 5}
anchors:
  clusters:
    corpus: {directory: $work/good, shard_size: 4}
    distortions: {kinds: [jpeg, gaussian_blur], levels: [2, 4]}
    recipe: {aggregation: clustering, k: 3, iterations: 10}
export:
  set: {format: webdataset, folder: $work/export-$1, rows: 100, order: shuffle}
END
}

# same_result NAME: its files are those of the run "direct", byte by byte.
same_result() {
  local file
  for file in manifest.csv manifest.jsonl report.html anchors/clusters.h5; do
    cmp "$work/run-direct/$file" "$work/run-$1/$file" || fail "$1: another $file than that of a run on one host"
  done
}
