# Apptainer reads this and puts it before the host's environment: nothing of the host's Python gets in.
# APPTAINERENV_PYTHONPATH=/path/to/checkout/src still does: a developer's library over the one baked in.
export PYTHONPATH="" PYTHONHOME="" PYTHONNOUSERSITE=1
# Apptainer makes the working directory the home; a cache of fonts does not belong between the results.
export MPLCONFIGDIR="/tmp/almabrain-$(id -u)" MPLBACKEND=Agg
