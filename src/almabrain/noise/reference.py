"""From what a user names as the reference to its noise model."""

from pathlib import Path

from almabrain.config.noise import NoiseSettings
from almabrain.noise.measure import measure
from almabrain.noise.model import NoiseModel
from almabrain.noise.table import from_table
from almabrain.response.beam import Beam

FITS_ENDINGS = (".fits", ".fit", ".fits.gz")


def reference_model(reference: str, settings: NoiseSettings) -> NoiseModel:
    """The model of a FITS image (a path: it has a slash or a FITS ending) or of a table (a bare name)."""
    is_file = "/" in reference or reference.lower().endswith(FITS_ENDINGS) or Path(reference).is_file()
    if not is_file:
        return from_table(reference)
    beam = None if settings.reference_beam is None else Beam(*settings.reference_beam)
    return measure(reference, settings.plane, beam, settings.mask_sources)
