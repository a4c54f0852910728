#!/usr/bin/env bash
# Runs the test configuration through Slurm, each job in its container, and compares the arrays with a run on
# this machine. Where no Slurm answers, $ALMABRAIN_START_SLURM may name a program that starts one.
set -euo pipefail
if ! sinfo -h >/dev/null 2>&1; then
    if [ -z "${ALMABRAIN_START_SLURM:-}" ]; then
        echo "slurm: skipped, since no Slurm answers here (sinfo) and \$ALMABRAIN_START_SLURM names none to start"
        exit 0
    fi
    "$ALMABRAIN_START_SLURM"
    trap '"$ALMABRAIN_START_SLURM" stop' EXIT
fi
source "$(dirname "$0")/native_run.sh"
containers/build

echo "running the test configuration through Slurm"
rm -rf results/slurm
# A small machine answers at once; a cluster's daemon is asked less often.
often=(--slurm-init-seconds-before-status-checks 3 --seconds-between-status-checks 3)
run slurm --profile profiles/slurm "${often[@]}" || { tail -n 20 results/slurm.log; exit 1; }
jobs=$(awk '$1 == "total" {print $2; exit}' results/slurm.log)
submitted=$(grep -c "has been submitted with SLURM jobid" results/slurm.log)
# Two run where Snakemake runs: the target rule, and the drawing of the graph.
[ "$submitted" -eq $((jobs - 2)) ] || { echo "error: $submitted of $jobs jobs went to Slurm" >&2; exit 1; }
python tests/compare_results.py results/native results/slurm
echo "slurm: the same arrays as on this machine"
