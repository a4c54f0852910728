# Apptainer reads this after the host's environment, so nothing of the host's Python gets in. A developer
# says ALMABRAIN_SRC=/path/to/checkout/src to run that library instead of the one baked in.
export PYTHONPATH="${ALMABRAIN_SRC:-}" PYTHONHOME="" PYTHONNOUSERSITE=1
# Apptainer makes the working directory the home: caches belong elsewhere, not between the results.
export XDG_CACHE_HOME="/tmp/almabrain-${USER:-user}" XDG_CONFIG_HOME="/tmp/almabrain-${USER:-user}"
export MPLCONFIGDIR="/tmp/almabrain-${USER:-user}/matplotlib" MPLBACKEND=Agg
