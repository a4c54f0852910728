"""xradio turns judge.ms into a processing set and reads it back."""

import logging
import warnings

import numpy as np
from xradio.measurement_set import convert_msv2_to_processing_set, open_processing_set

logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
warnings.filterwarnings("default", module="xradio")
warnings.filterwarnings("ignore", module="zarr")
convert_msv2_to_processing_set(in_file="judge.ms", out_file="judge.ps.zarr")
tree = open_processing_set("judge.ps.zarr")
sets = [tree[name] for name in tree]
print(tree.xr_ps.summary().to_string())
np.savez(
    "found.npz",
    samples=[one.ds["VISIBILITY"].size for one in sets],
    total=[complex(one.ds["VISIBILITY"].sum().values) for one in sets],
    frequency_hz=np.concatenate([one.ds["frequency"].values for one in sets]),
)
