#!/usr/bin/env bash
# What happens to a run over three hosts in each phase when a rank is stopped or killed, or when its host loses its network
# or power: the job ends soon, says which rank, where and in which phase, leaves no launcher behind, and the same command
# continues it to the result of an undisturbed run.
#
# usage: faults_test.sh QUASAR [halt] [kill] [cut] [off]   Exit status 77: hosts cannot be made here (an error where CI=true).
set -euo pipefail
quasar=$(readlink -f "$1")
faults=("${@:2}")
[ ${#faults[@]} -gt 0 ] || faults=(halt kill cut off)
# shellcheck source=tests/hosts/hosts.sh
. "$(dirname "$0")/hosts.sh" faults
cd "$work"

stall=5   # as configured
# How long after a fault the job may take: until its silence has lasted, as long again for its launcher, and what a machine
# under load adds.
limit=$((2 * stall + 6))
# Slurm's KillWait, and two seconds of srun's own.
slurm_limit=$((limit + 12))

pictures 240
write_config direct
"$quasar" run direct.yaml >direct.log 2>&1 || fail "the run on one host"
QUASAR_SANDBOX_NODE_TIMEOUT=20 "$sandbox" start 3 "$HOST_SANDBOX" --share "$work" --share "$(dirname "$quasar")" >start.log

# Sets `halted` to the rank of the run NAME that stands still.
find_halted() {
  local pid
  for pid in $(pgrep -f -- "^$quasar run $1.yaml"); do
    if grep -qs '^State:[[:space:]]T' "/proc/$pid/status"; then
      halted=$pid
      return 0
    fi
  done
  return 1
}

failures=0
problem() {
  echo "FAILED: $1"
  tail -n 25 "$2"
  failures=$((failures + 1))
}

# strike FAULT HOW PHASE: runs `run FAULT.yaml` until rank 1, on host2, is at PHASE, and has the fault come over it.
strike() {
  local fault=$1 how=$2 phase=$3 name="$1, $2, $3" log=$1-${3}.log most=$limit late='' halted=''
  case $how in srun*) most=$slurm_limit ;; esac
  QUASAR_TEST_STOP=$phase:1:halt start "$log" launch "$how" "$quasar" run "$fault.yaml"
  until find_halted "$fault"; do
    if [ ! -e "/proc/$job" ] || [ "$SECONDS" -gt "$deadline" ]; then
      kill -KILL "$job" 2>/dev/null || true
      wait "$job" 2>/dev/null || true
      problem "$name: rank 1 never came to that phase" "$log"
      return
    fi
    sleep 0.02
  done
  case $fault in
    halt) ;;
    kill) kill -KILL "$halted" ;;
    # The rank itself is well: what it says goes nowhere.
    cut) "$sandbox" cut host2; kill -CONT "$halted" ;;
    off) "$sandbox" off host2 ;;
  esac
  ends "$most"
  if [ -n "$late" ]; then
    problem "$name: still there $most s after the fault" "$log"
  elif [ "$fault" = kill ]; then
    # Launchers notice by themselves, and say so in their own way.
    [ "$status" -ne 0 ] || problem "$name: status 0" "$log"
  else
    [ "$status" -eq 10 ] || problem "$name: status $status instead of 10" "$log"
    grep -E '^quasar: ' "$log" | grep -F 'rank 1' | grep -F host2 | grep -qF "$phase" ||
      problem "$name: nothing names rank 1, host2 and the phase" "$log"
  fi
  echo "$name: status $status after $took s"
  case $fault in
    cut) "$sandbox" heal host2 ;;
    off) "$sandbox" on-again host2 ;;
  esac
  case $how in srun*) until_true 60 "all nodes are back" idle_nodes 3 ;; esac
  # A rank that was cut off ends by itself; nothing of this job is to meet the next one.
  until_true $((2 * limit)) "$name: all ranks have gone" no_ranks "$fault"
}
no_ranks() { ! pgrep -f -- "$quasar run $1.yaml" >/dev/null; }

deadline=$((SECONDS + 480))
for fault in "${faults[@]}"; do
  write_config "$fault"
  for phase in embed k-means score rank; do
    how=mpirun3
    # Slurm in some of them: every fault, and not each phase, as it takes its time to end a step.
    case $fault-$phase in halt-k-means|kill-rank|cut-score|off-embed) how=srun3 ;; esac
    strike "$fault" $how $phase
  done
  # What was begun is continued, on other hosts than before as well.
  how=mpirun3
  [ "$fault" != cut ] || how=srun3
  launch $how "$quasar" run "$fault.yaml" >"$fault.log" 2>&1 || fail "$fault: the same command does not continue: status $?"
  same_result "$fault"
done
[ "$failures" -eq 0 ] || fail "$failures checks"
echo "passed in $SECONDS s"
