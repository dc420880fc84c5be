# Owns what the batch scripts share: finding and launching quasar inside an allocation, and coming back after an
# interruption. Sourced; works with the settings, all optional, that submit-pipeline exports:
#
#   QUASAR         the program; else the one beside this folder (built or installed), else the one in PATH
#   QUASAR_LAUNCH  srun, mpirun, none (one process, no launcher) or auto: none for one task, srun where Slurm has
#                  PMIx, else mpirun
#   QUASAR_LAUNCH_ARGS   further words for the launcher, such as "--mpi=pmix_v4 --cpu-bind=cores"
#   QUASAR_MAX_RESTARTS  how often a job may come back (100): an end to jobs that never get anywhere
#   QUASAR_MAX_RETRIES   how often a step of a job is started again at once after a rank was killed, crashed, ran out
#                        of memory or fell silent (6). embed needs one or two to find an image that crashes or hangs
#                        it, five to find one that takes too much memory
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
    # Since Slurm 22.05 srun does not take --cpus-per-task over from the job.
    srun) launcher=(srun --mpi=pmix --kill-on-bad-exit=0 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"}) ;;
    mpirun)
      # mpirun binds a rank to one core, which all of its decode threads would share.
      launcher=(mpirun --bind-to none)
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
    quasar_say "interrupted, and not requeued: Slurm has ended job $job; submitted again, it continues"
  elif [ "${SLURM_RESTART_COUNT:-0}" -ge "${QUASAR_MAX_RESTARTS:-100}" ]; then
    quasar_say "interrupted, and not requeued: job $job came back ${SLURM_RESTART_COUNT} times already"
  elif scontrol requeue "$job"; then
    quasar_say "interrupted; job $job is requeued and will continue"
  else
    quasar_say "interrupted; Slurm does not requeue job $job (submitted with --no-requeue?); submitted again, it continues"
  fi
  exit 75
}

# Runs the words given, and sets `status` to how they ended.
quasar_run() {
  status=0
  quasar_stop_forwarded=
  "$@" &
  quasar_step_process=$!
  quasar_forward_stop
  # A signal ends `wait` early, with a status that is the signal's.
  local waited
  while :; do
    quasar_woken=
    waited=0
    wait "$quasar_step_process" || waited=$?
    # 127: the wait before had the status already.
    [ "$waited" -eq 127 ] || status=$waited
    [ -n "$quasar_woken" ] || break
  done
  quasar_step_process=
}

# quasar_step SUBCOMMAND ARGUMENTS...: one quasar command over the tasks of the job. Returns when it has succeeded, ends
# the script otherwise.
quasar_step() {
  local launcher=() program='' status=0 retries=0
  quasar_launcher
  quasar_program
  quasar_say "${launcher[*]:+${launcher[*]} }quasar $* (job ${SLURM_JOB_ID:-none}, start $((${SLURM_RESTART_COUNT:-0} + 1)))"
  while :; do
    [ -z "$quasar_stop_wanted" ] || quasar_requeue
    quasar_run "${launcher[@]}" "$program" "$@"
    [ "$status" -ne 0 ] || return 0
    # A stop may also kill: quasar, before it watches for signals, or a launcher (mpirun says 1 then). Shards are whole
    # or not there at all.
    if [ "$status" -eq 75 ] || { [ -n "$quasar_stop_wanted" ] && { [ "$status" -gt 128 ] || [ "$status" -eq 1 ]; }; }; then
      quasar_requeue
    fi
    # 10: a rank fell silent; above 128: a signal ended one.
    [ "$status" -eq 10 ] || [ "$status" -gt 128 ] || break
    [ "$retries" -lt "${QUASAR_MAX_RETRIES:-6}" ] || break
    retries=$((retries + 1))
    quasar_say "quasar $1 ended with status $status: started again ($retries of ${QUASAR_MAX_RETRIES:-6}), it continues"
  done
  quasar_say "quasar $1 failed with status $status"
  exit "$status"
}
