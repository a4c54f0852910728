# Sourced by containers.sh and slurm.sh: the test configuration run on this machine, to compare with.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v snakemake >/dev/null || { echo "error: snakemake is not on PATH; run this by make" >&2; exit 1; }

run() { # run NAME OPTION...: the test configuration into results/NAME, its output into results/NAME.log
    local name=$1; shift
    mkdir -p results
    snakemake --nolock --configfile config/test.yaml --config "results=results/$name" "$@" >"results/$name.log" 2>&1
}

echo "running the test configuration on this machine"
run native --cores all || { tail -n 20 results/native.log; exit 1; }
