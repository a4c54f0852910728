"""The model card: what a network was trained on, what it is for, how well it does, where it ends."""

from almabrain.config.train import TrainSettings
from almabrain.data.provenance import versions
from almabrain.train.judge import Detections
from almabrain.train.learn import Trained

PURITIES = (0.8, 0.9, 0.95, 0.99)

TEXT = """# Blobs finder

A U-Net of {size} parameters that gives, for each pixel of a radio image, the probability of source emission.

## Use

- Input: an image in any flux unit with its restoring beam; it is divided by its own local noise (robust,
  never scaled to its range) and shown beside its cross-correlation with the beam.
- Output: probability per pixel of lying within the half-maximum contour of a source as the beam shows it.
  The catalogue turns the logit at a peak into the probability that it is a source, by the logistic curve
  {slope:.2f} x logit {offset:+.2f} fitted to the validation detections, and takes peaks above 0.7 by default.
- Made for dirty planes of interferometers like those it saw: beams of {beam_low:.1f} to {beam_high:.1f}
  pixels FWHM (geometric mean of the axes), sources up to {largest:g} beams wide.

## Data

- {planes} planes of {simulations} simulations (channels and line-free continuum means); {patches} patches of
  {patch} x {patch} pixels in {epochs} epochs, {campaign:.0%} of them from those planes, the rest from
  scenes drawn through {responses} dirty beams.
- Drawn scenes: {empty:.0%} empty; up to {most} sources, {extended:.0%} Gaussians, peak signal-to-noise
  ratio {snr_min:g} to {snr_max:g}, times the primary beam; up to {thinning:.0%} of the uv cells left
  out; noise with the colour of natural weighting.
- Held out for validation: {held_out}; {validation} planes with {sources} sources above {scored:g} sigma.
- Seed {seed}; trained on {device} with {threads} thread(s).

## Numbers (validation)

At a calibrated probability of 0.5: completeness {completeness:.3f}, purity {purity:.3f}. Loss {loss:.4f}.
The curve was fitted to the same detections, by two numbers, so this purity is a little flattered.

Completeness at equal purity, against thresholds on the plane's cross-correlation with the beam (the matched
filter) and on the plane itself. Where a purity is out of reach, completeness is 0.

| purity at least | network | matched filter | plane |
|---|---|---|---|
{table}

## Limits

- Sources are counted above {scored:g} sigma of the thermal noise; sidelobes of bright sources raise the
  noise that any finder sees in a dirty plane, which lowers all columns alike.
- Two sources whose half-maximum contours overlap without a dip are found as one.
- Noise unlike that of the drawn scenes and the campaign (calibration errors, other weightings) is unseen
  unless the campaign's noise was empirical. Emission wider than {largest:g} beams is unseen.
- Probabilities hold for fields like those above; in fields with other densities of sources they shift.

## Software

{software}
"""


def card(trained: Trained, yardsticks: dict[str, Detections], settings: TrainSettings, facts: dict) -> str:
    """The card (Markdown) of a network; `yardsticks`: the detections of `matched filter` and `plane`."""
    judged = {"network": trained.detections} | yardsticks
    rows = [
        f"| {purity:.2f} | " + " | ".join(f"{one.at_purity(purity)[1]:.3f}" for one in judged.values()) + " |"
        for purity in PURITIES
    ]
    patches = settings.epochs * max(settings.patches_per_epoch // settings.batch, 1) * settings.batch
    slope, offset = facts["calibration"]
    return TEXT.format(
        slope=slope,
        offset=offset,
        thinning=settings.thinning,
        size=f"{trained.network.size:,}",
        largest=settings.largest_source_beams,
        patches=f"{patches:,}",
        patch=settings.patch_pix,
        epochs=settings.epochs,
        campaign=settings.campaign_fraction,
        empty=settings.empty_fraction,
        most=settings.max_sources,
        extended=settings.extended_fraction,
        snr_min=settings.snr_min,
        snr_max=settings.snr_max,
        scored=settings.scored_snr,
        sources=trained.detections.sources,
        device=trained.device,
        threads=settings.threads,
        completeness=trained.detections.completeness(-offset / slope),
        purity=trained.detections.purity(-offset / slope),
        loss=trained.history[-1]["validation_loss"],
        table="\n".join(rows),
        software=", ".join(f"{name} {version}" for name, version in versions().items()),
        **facts,
    )
