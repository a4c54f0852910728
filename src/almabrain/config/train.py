"""Settings of the stage train: what the network is shown, how large it is, how long it learns."""

from typing import Literal

from pydantic import Field, model_validator

from almabrain.config.base import Strict


class TrainSettings(Strict):
    """Training of the blobs finder, a small U-Net on planes in units of their noise."""

    epochs: int = Field(15, ge=1, le=10_000, description="Number of epochs.")
    patches_per_epoch: int = Field(
        640,
        ge=1,
        le=1_000_000,
        description="Training patches in an epoch, cut from drawn scenes and campaign planes.",
    )
    validation_scenes: int = Field(
        64, ge=1, le=100_000, description="Scenes drawn once, with held-out PSFs, to validate every epoch on."
    )
    campaign_fraction: float = Field(
        0.3, ge=0, le=1, description="Fraction of the training patches cut from the campaign's own cubes."
    )
    empty_fraction: float = Field(
        0.2, ge=0, le=1, description="Fraction of the drawn scenes that hold no source at all."
    )
    extended_fraction: float = Field(
        0.4, ge=0, le=1, description="Fraction of the drawn sources that are Gaussians and not points."
    )
    largest_source_beams: float = Field(
        2.0, gt=0, le=20, description="Largest FWHM of a drawn Gaussian, in beam major axes."
    )
    thinning: float = Field(
        0.4, ge=0, lt=1, description="Largest fraction of uv cells left out of a drawn scene's dirty beam."
    )
    max_sources: int = Field(8, ge=1, le=1000, description="Largest number of sources in a drawn scene.")
    snr_min: float = Field(
        3.0, ge=1, le=100, description="Peak signal-to-noise ratio of the faintest source drawn or marked."
    )
    snr_max: float = Field(
        100.0, gt=1, le=1e6, description="Peak signal-to-noise ratio of the brightest source drawn."
    )
    scored_snr: float = Field(
        5.0,
        ge=1,
        le=1000,
        description="Peak signal-to-noise ratio above which validation counts a source as missed.",
    )
    patch_pix: int = Field(
        64, ge=32, le=1024, multiple_of=8, description="Side of a training patch in pixels, a multiple of 8."
    )
    batch: int = Field(8, ge=1, le=4096, description="Patches in one optimisation step.")
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Peak step size of Adam, under cosine annealing."
    )
    base_channels: int = Field(
        8, ge=2, le=128, description="Feature maps at full resolution, doubled at each coarser level."
    )
    levels: int = Field(4, ge=2, le=6, description="Resolutions of the U-Net, each half of the one before.")
    holdout_fraction: float = Field(
        0.25,
        gt=0,
        lt=1,
        description="Fraction of the simulations, the last ones and those of the same executions, kept for "
        "validation (at least one).",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to train: auto takes a CUDA device where there is one."
    )
    threads: int = Field(
        1, ge=1, le=256, description="CPU threads; the weights repeat exactly only at the same number."
    )

    @model_validator(mode="after")
    def _consistent(self):
        if self.snr_min >= self.snr_max:
            raise ValueError(f"snr_min is {self.snr_min}, but it must be below snr_max ({self.snr_max})")
        if self.patch_pix % 2 ** (self.levels - 1):
            step = 2 ** (self.levels - 1)
            raise ValueError(
                f"patch_pix is {self.patch_pix}, but {self.levels} levels need a multiple of {step}"
            )
        return self
