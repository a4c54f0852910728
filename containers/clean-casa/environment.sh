# The Python that has casatasks, whatever the host calls so.
export ALMABRAIN_CASA_PYTHON=/opt/casa/bin/python
