"""Settings of the stage catalogue: when a peak is a source, and what counts as found."""

from pydantic import Field, model_validator

from almabrain.config.base import Strict


class CatalogueSettings(Strict):
    """Finding, measuring, matching and scoring of sources."""

    threshold_sigma: float = Field(
        5.0, ge=2, le=100, description="Least peak of a source, in units of the local rms (finder sep)."
    )
    island_sigma: float = Field(
        3.0,
        ge=1,
        le=100,
        description="Level that a source's pixels must reach, in local rms (finder sep).",
    )
    probability: float = Field(0.7, gt=0, lt=1, description="Least probability of a source (finder network).")
    mesh_beams: float = Field(
        12.0,
        ge=4,
        le=1000,
        description="Side of the cells in which the local rms is measured, in beams.",
    )
    min_pb: float = Field(0.2, ge=0, lt=1, description="Primary-beam level below which nothing is searched.")
    match_radius_beams: float = Field(
        0.5,
        gt=0,
        le=5,
        description="Matching radius over the source's true FWHM as the beam shows it.",
    )
    min_snr: float = Field(
        5.0,
        ge=0,
        le=1000,
        description="True signal-to-noise ratio from which a source counts as missed.",
    )
    snr_edges: list[float] = Field(
        [5, 7, 10, 20, 50, 1000],
        min_length=2,
        description="Edges of the scores' signal-to-noise bins, rising.",
    )

    @model_validator(mode="after")
    def _consistent(self):
        if self.island_sigma > self.threshold_sigma:
            raise ValueError(
                f"island_sigma is {self.island_sigma}, but it must not exceed threshold_sigma "
                f"({self.threshold_sigma})"
            )
        if sorted(set(self.snr_edges)) != self.snr_edges:
            raise ValueError(f"snr_edges is {self.snr_edges}, but the edges must rise")
        return self
