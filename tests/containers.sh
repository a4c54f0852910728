#!/usr/bin/env bash
# Builds the seven SIFs, runs the test configuration wholly inside them, and compares the arrays with a run
# on this machine. Then it shows that a SIF is needed, and that nothing leaks in from the host.
set -euo pipefail
source "$(dirname "$0")/native_run.sh"
stages=(query sky simulate noise train image catalogue)
sifs=${ALMABRAIN_SIF_DIR:-$PWD/containers/sif}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

containers/build
du -shc "$sifs"/*.sif

echo "importing every stage in its SIF, with a host that tries to slip in a numpy of its own"
mkdir "$work/host"
echo 'raise ImportError("this numpy is the host'"'"'s")' >"$work/host/numpy.py"
for stage in "${stages[@]}"; do
    PYTHONPATH="$work/host" apptainer exec --bind "$work" "$sifs/$stage.sif" \
        python -c "import numpy, almabrain.$stage" || { echo "error: $stage.sif lets the host's packages in" >&2; exit 1; }
done

echo "running the test configuration in containers"
rm -rf results/apptainer
run apptainer --cores all --software-deployment-method apptainer || { tail -n 20 results/apptainer.log; exit 1; }
jobs=$(awk '$1 == "total" {print $2; exit}' results/apptainer.log)
inside=$(grep -c "^Activating singularity image" results/apptainer.log)
# Two need none: the target rule, and the drawing of the graph by Snakemake itself.
[ "$inside" -eq $((jobs - 2)) ] || { echo "error: $inside of $jobs jobs ran in a container" >&2; exit 1; }
python tests/compare_results.py results/native results/apptainer

echo "a rule without its SIF must fail"
mkdir "$work/sif"
for stage in "${stages[@]}"; do ln -s "$sifs/$stage.sif" "$work/sif/"; done
rm "$work/sif/query.sif"
rm -rf results/broken
if ALMABRAIN_SIF_DIR="$work/sif" run broken --cores 1 --software-deployment-method apptainer --until query; then
    echo "error: query ran without its SIF" >&2; exit 1
fi
grep -q "query.sif" results/broken.log || { tail -n 20 results/broken.log; exit 1; }

echo "a SIF without numpy must fail, though the host has numpy"
# By tar, since unpacking a SIF by itself wants to make devices, which not every root may.
mkdir "$work/query"
apptainer exec "$sifs/query.sif" tar -C / -c --exclude "site-packages/numpy" .singularity.d bin etc lib lib64 opt usr |
    tar -C "$work/query" -x --no-same-owner
mkdir "$work/query/tmp" "$work/query/dev" "$work/query/proc" "$work/query/sys"
apptainer --quiet build --mksquashfs-args "-comp lz4" "$work/sif/query.sif" "$work/query"
if ALMABRAIN_SIF_DIR="$work/sif" run broken --cores 1 --software-deployment-method apptainer --until query; then
    echo "error: query ran without numpy: the host's packages leak into the container" >&2; exit 1
fi
grep -q "No module named 'numpy" results/broken.log || { tail -n 20 results/broken.log; exit 1; }
rm -rf results/broken results/broken.log
echo "containers: the same arrays as on this machine"
