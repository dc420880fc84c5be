# Owns what the batch scripts share: finding and launching quasar inside an allocation, and coming back after an
# interruption. Sourced; works with the settings, all optional, that submit-pipeline exports:
#
#   QUASAR         the program; else the one beside this folder (built or installed), else the one in PATH
#   QUASAR_LAUNCH  srun, mpirun, none (one process, no launcher) or auto: none for one task, srun where Slurm has
#                  PMIx, else mpirun
#   QUASAR_LAUNCH_ARGS   further words for the launcher, such as "--mpi=pmix_v4 --cpu-bind=cores"
#   QUASAR_MAX_RESTARTS  how often a job may come back (100): an end to jobs that never get anywhere
#   QUASAR_MAX_RETRIES   how often a step of a job is started again at once after a rank was killed, crashed, ran out
#                        of memory or fell silent, and got no shard done meanwhile (6). embed needs one or two to find
#                        an image that crashes or hangs it, five to find one that takes too much memory
#   QUASAR_STATE         folder for a few bytes that the job's nodes and this script see alike (the working folder)
#   QUASAR_LAUNCHER_GRACE   how many seconds the launcher may stay when quasar has ended (30)
#   QUASAR_RETRY_PAUSE      how many seconds to wait before another start where nothing of quasar was seen (5)
#
# Launchers do not say how quasar has ended: srun says 0 where it could start no task, mpirun 1 or 137 where ranks ended
# with 10. So quasar says it itself, in the file QUASAR_RESULT, and what it says there is believed. Without a word from
# it, it was ended by something else, and is started again.
#
# Slurm warns the batch script by SIGUSR1 before the time limit (--signal=B:USR1@SECONDS), and sends SIGTERM when it
# preempts. Either is handed on to quasar as one SIGUSR1, the signal that both launchers pass to their ranks (they take
# SIGTERM for themselves and kill). quasar then saves what is finished and exits 75, and the job is requeued: started
# again, it continues from there.
# shellcheck shell=bash

quasar_step_process=
quasar_stop_wanted=
quasar_stop_forwarded=
quasar_woken=

quasar_say() { echo "$(date +%FT%T) slurm: $1" >&2; }

quasar_forward_stop() {
  if [ -n "$quasar_stop_wanted" ] && [ -n "$quasar_step_process" ] && [ -z "$quasar_stop_forwarded" ]; then
    # Once: a second one would end quasar without saving.
    quasar_stop_forwarded=yes
    kill -USR1 "$quasar_step_process" 2>/dev/null || true
  fi
}

quasar_on_signal() {
  quasar_woken=yes
  if [ -n "$quasar_stop_forwarded" ] && [ "$1" = TERM ]; then
    # The warning has been and gone, and SIGKILL is next: what is not saved by now is done again.
    quasar_say "SIGTERM: ending quasar"
    kill -TERM "$quasar_step_process" 2>/dev/null || true
  else
    quasar_say "SIG$1: asking quasar to stop and save"
    quasar_stop_wanted=yes
    quasar_forward_stop
  fi
}

# From here on, for a signal may come at any time, also between two steps.
trap 'quasar_on_signal USR1' USR1
trap 'quasar_on_signal TERM' TERM

# Sets `launcher` to the words before the program.
quasar_launcher() {
  local how=${QUASAR_LAUNCH:-auto}
  if [ "$how" = auto ]; then
    if [ "${SLURM_NTASKS:-1}" = 1 ]; then
      how=none
    elif srun --mpi=list 2>&1 | grep -qw pmix; then
      how=srun
    else
      how=mpirun
    fi
  fi
  local extra
  read -r -a extra <<<"${QUASAR_LAUNCH_ARGS:-}"
  case $how in
    # --overlap: the step before may still be there for Slurm, on a node that went away, for minutes.
    # Since Slurm 22.05 srun does not take --cpus-per-task over from the job.
    srun) launcher=(srun --mpi=pmix --kill-on-bad-exit=0 --overlap ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"}) ;;
    mpirun)
      # mpirun binds a rank to one core, which all of its decode threads would share.
      launcher=(mpirun --bind-to none -x QUASAR_RESULT)
      if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
      ;;
    none) launcher=() extra=() ;;
    *)
      quasar_say "QUASAR_LAUNCH is \"$how\"; it may be auto, srun, mpirun or none"
      exit 2
      ;;
  esac
  launcher+=("${extra[@]}")
}

# Sets `program`.
quasar_program() {
  local here candidate
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  for candidate in "${QUASAR:-}" "$here/../build/release/jobs/quasar" "$here/../../../bin/quasar" \
    "$(command -v quasar || true)"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      program=$candidate
      return
    fi
    if [ -n "$candidate" ] && [ "$candidate" = "${QUASAR:-}" ]; then break; fi
  done
  quasar_say "cannot find the program quasar${QUASAR:+ at $QUASAR}; set QUASAR to its path"
  exit 4
}

# Puts this job, or this task of an array, back into the queue, and ends the script. Not a job that Slurm has ended
# already, unless by its time limit: a cancelled one would come back, and what was preempted or lost its node Slurm
# requeues itself.
quasar_requeue() {
  # An array's last task has the number of the whole array, so that its number alone would requeue all tasks.
  local job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
  job=${job:-${SLURM_JOB_ID:-}}
  local state
  # Slurm ends what it requeues, the scontrol that asks for it too, which could then not say that it was done.
  trap '' USR1 TERM
  if [ -z "$job" ]; then
    quasar_say "interrupted; start again to continue"
  elif state=$(squeue -h -t all -j "$job" -o '%T %r') && [ "${state%% *}" = COMPLETING ] && [ "${state#* }" != TimeLimit ]; then
    quasar_say "interrupted: Slurm has ended job $job. If it was preempted or lost a node, it comes back by itself; if it was cancelled, it continues when it is submitted again"
  elif [ "${SLURM_RESTART_COUNT:-0}" -ge "${QUASAR_MAX_RESTARTS:-100}" ]; then
    quasar_say "interrupted, and not requeued: job $job came back ${SLURM_RESTART_COUNT} times already"
  elif scontrol requeue "$job"; then
    quasar_say "interrupted; job $job is requeued and will continue"
  else
    quasar_say "interrupted; Slurm does not requeue job $job (submitted with --no-requeue?); submitted again, it continues"
  fi
  exit 75
}

# Ends the launcher $1 when quasar has said that it has ended, in $QUASAR_RESULT, and the launcher stays all the same:
# srun waits for a node that is gone.
quasar_watch_launcher() {
  trap - USR1 TERM
  until [ -s "$QUASAR_RESULT" ]; do sleep 1; done
  sleep "${QUASAR_LAUNCHER_GRACE:-30}"
  quasar_say "quasar has ended, and its launcher has not: ending it"
  kill -TERM "$1" || return
  sleep 5
  kill -KILL "$1" 2>/dev/null
}

# Runs the words given, and sets `status` to how they ended.
quasar_run() {
  status=0
  quasar_stop_forwarded=
  "$@" &
  quasar_step_process=$!
  quasar_watch_launcher "$quasar_step_process" &
  local watcher=$! known=''
  # Bash would report its end.
  disown "$watcher"
  quasar_forward_stop
  # A signal ends `wait` early, with a status that is the signal's.
  local waited
  while :; do
    quasar_woken=
    waited=0
    wait "$quasar_step_process" || waited=$?
    # 127: the wait before had the status already, or there is no such program.
    [ "$waited" -eq 127 ] && [ -n "$known" ] || status=$waited
    known=yes
    [ -n "$quasar_woken" ] || break
  done
  quasar_step_process=
  pkill -P "$watcher" 2>/dev/null || true
  kill "$watcher" 2>/dev/null || true
}

# Sets `run` to the run directory that quasar's arguments lead to; to nothing where that cannot be told.
quasar_run_directory() {
  local config=${2:-} previous='' word
  run=
  if [ -f "$config" ]; then
    run=$(sed -n 's/^run:[[:space:]]*\(.*\)$/\1/p' "$config" | sed "s/[[:space:]]#.*//; s/[[:space:]]*$//; s/^[\"']//; s/[\"']$//" | tail -n 1)
  fi
  for word in "$@"; do
    case $previous$word in
      --setrun=*|--set=run=*) run=${word#--set=} run=${run#run=} ;;
    esac
    previous=
    [ "$word" != --set ] || previous=$word
  done
}

# Prints how many shards are done, of any kind.
quasar_progress() {
  if [ -d "$run" ]; then
    find "$run" -name 'shard-*.h5' -printf . 2>/dev/null | wc -c
  else
    echo 0
  fi
}

# quasar_step SUBCOMMAND ARGUMENTS...: one quasar command over the tasks of the job. Returns when it has succeeded, ends
# the script otherwise.
quasar_step() {
  local launcher=() program='' status=0 retries=0 run='' progress=0 before said
  export QUASAR_RESULT="${QUASAR_STATE:-$PWD}/.quasar-${SLURM_ARRAY_JOB_ID:-${SLURM_JOB_ID:-$$}}-${SLURM_ARRAY_TASK_ID:-0}-$1"
  # shellcheck disable=SC2064
  trap "rm -f $(printf %q "$QUASAR_RESULT")" EXIT
  quasar_launcher
  quasar_program
  quasar_run_directory "$@"
  quasar_say "${launcher[*]:+${launcher[*]} }quasar $* (job ${SLURM_JOB_ID:-none}, start $((${SLURM_RESTART_COUNT:-0} + 1)))"
  progress=$(quasar_progress)
  while :; do
    [ -z "$quasar_stop_wanted" ] || quasar_requeue
    rm -f "$QUASAR_RESULT"
    quasar_run "${launcher[@]}" "$program" "$@"
    said=$(cat "$QUASAR_RESULT" 2>/dev/null) || said=
    rm -f "$QUASAR_RESULT"
    if [[ $said =~ ^[0-9]+$ ]]; then
      [ "$said" -eq "$status" ] || quasar_say "the launcher ended with status $status, quasar with $said"
      status=$said
      [ "$status" -ne 0 ] || return 0
      [ "$status" -ne 75 ] || quasar_requeue
      # 10: a rank fell silent; above 128: a signal ended one.
      [ "$status" -eq 10 ] || [ "$status" -gt 128 ] || break
    else
      said=
      # A stop may also kill: quasar, before it watches for signals, or a launcher. Shards are whole or not there at all.
      if [ -n "$quasar_stop_wanted" ] || [ "$status" -eq 75 ]; then quasar_requeue; fi
      # There is no such launcher.
      if [ "$status" -eq 126 ] || [ "$status" -eq 127 ]; then break; fi
      if [ "$status" -eq 0 ]; then
        quasar_say "the launcher ended with status 0, but quasar has not said that it has ended: a task was lost or never began"
        status=10
      fi
    fi
    before=$progress
    progress=$(quasar_progress)
    [ "$progress" -le "$before" ] || retries=0
    [ "$retries" -lt "${QUASAR_MAX_RETRIES:-6}" ] || break
    retries=$((retries + 1))
    quasar_say "quasar $1 ended with status $status after $((progress - before)) more shards: started again ($retries of ${QUASAR_MAX_RETRIES:-6}), it continues"
    # A node or a launcher that failed at once would fail as often as it is let.
    [ -n "$said" ] || [ -n "$quasar_stop_wanted" ] || sleep "${QUASAR_RETRY_PAUSE:-5}"
  done
  quasar_say "quasar $1 failed with status $status"
  exit "$status"
}
