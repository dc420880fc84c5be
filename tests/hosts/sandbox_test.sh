#!/usr/bin/env bash
# tools/host-sandbox itself, and what launchers do with a job that loses a host: whether they end soon after it.
#
# usage: sandbox_test.sh STALLING_JOB   Exit status 77: hosts cannot be made here (an error where CI=true).
set -euo pipefail
# shellcheck source=tests/hosts/hosts.sh
. "$(dirname "$0")/hosts.sh" sandbox
cp "$1" "$work/stalling_job"
cd "$work"

[ "$("$sandbox" 2 -- ssh host2 hostname)" = host2 ] || fail "a sandbox for one command"
code=0
"$sandbox" start nonsense "$work/none" 2>/dev/null || code=$?
[ "$code" -eq 2 ] || fail "a number of hosts that is none: status $code"

# One that ends with what started it, beside the one of this test.
# shellcheck disable=SC2016
bash -c '"$1" start 1 "$2" --no-slurm && "$1" --in "$2" on host1 hostname' . "$sandbox" "$work/other" >"$work/other.log"
other_is_gone() { ! "$sandbox" --in "$work/other" status >/dev/null 2>&1; }
until_true 10 "the sandbox has ended with its owner" other_is_gone
says other.log '^host1$' || fail "the other sandbox has no host1"

QUASAR_SANDBOX_NODE_TIMEOUT=20 "$sandbox" start 3 "$HOST_SANDBOX" --share "$work" >start.log
[ "$("$sandbox" status | grep -c ' on, ')" -eq 4 ] || fail "three hosts and a controller: $("$sandbox" status)"
for host in host1 host2; do
  on $host hostname
  on $host cat /proc/sys/kernel/random/boot_id
  on $host touch "/tmp/of-$host" "/dev/shm/of-$host" "$work/of-$host"
done >names
[ "$(sort -u names | wc -l)" -eq 4 ] || fail "hosts share a name or a boot: $(cat names)"
[ "$(on host2 ls /tmp /dev/shm | grep -c '^of-')" -eq 2 ] || fail "hosts share /tmp or /dev/shm"
if [ ! -e of-host1 ] || [ ! -e of-host2 ]; then fail "hosts do not share the folder that they should"; fi
[ "$(launch mpirun3 hostname | sort | tr '\n' ' ')" = 'host1 host2 host3 ' ] || fail "mpirun does not reach every host"
[ "$(launch srun3 hostname | sort | tr '\n' ' ')" = 'host1 host2 host3 ' ] || fail "srun does not reach every host"
code=0
on host1 sh -c 'exit 7' || code=$?
[ "$code" -eq 7 ] || fail "the exit status of a command is lost: $code"

# lose FAULT HOST HOW STATUS LIMIT: the job, and its launcher, end within LIMIT seconds of the fault.
limit=2
lose() {
  local fault=$1 host=$2 how=$3 expected=$4
  start job.log launch "$how" ./stalling_job "$limit" helper
  # shellcheck disable=SC2016
  until_true 20 "all ranks talk" eval '[ "$(grep -c "process" job.log)" -eq 3 ]'
  sleep 0.5
  "$sandbox" "$fault" "$host"
  ends "$5"
  [ -z "${late:-}" ] || fail "$how, $fault $host: did not end within $5 s: $(cat job.log)"
  [ "$status" -eq "$expected" ] || fail "$how, $fault $host: status $status instead of $expected: $(cat job.log)"
  echo "$how, $fault $host: status $status after $took s"
  case $fault in
    cut) "$sandbox" heal "$host" ;;
    off) "$sandbox" on-again "$host" ;;
  esac
}
# The limit, the helper's grace, its turns, and a machine under load.
lose cut host2 mpirun3 10 15
lose cut host1 mpirun3 10 15
lose off host3 mpirun3 10 15
[ "$("$sandbox" on host3 cat /proc/uptime | wc -l)" -eq 1 ] || fail "host3 is not on again"
# Slurm waits its KillWait (10) and two seconds more.
lose off host2 srun3 10 25
until_true 90 "all nodes are back" idle_nodes 3
[ "$(launch srun3 hostname | wc -l)" -eq 3 ] || fail "no step over all nodes after one came back"

for host in host1 host2 host3; do
  # shellcheck disable=SC2016
  on $host bash -c '! pgrep -x "orted|stalling_job" | xargs -rI{} readlink /proc/{}/ns/net | grep -qF "$(readlink /proc/self/ns/net)"' ||
    fail "$host: a launcher or a rank is left"
done
"$sandbox" stop
! "$sandbox" status 2>/dev/null || fail "it runs after its end"
echo "passed in $SECONDS s"
