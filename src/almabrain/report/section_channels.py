"""What a Bayesian image tells of frequency: channel maps, spectra, moments, spectral indices."""

import numpy as np

from almabrain.report import figures_fit, figures_image, page
from almabrain.report.figures_image import Grid, Panel
from almabrain.report.numbers import floats, plain
from almabrain.report.pictures import Pictures
from almabrain.report.products import Products
from almabrain.report.style import brightness_unit

MOST_CHANNELS, MOST_REGIONS = 18, 4


def section(products: Products, data: str, recipe: str, pictures: Pictures | None) -> str:
    """Figures of a cube, or of an image with spectral indices; nothing of a continuum image."""
    told = (products.summary(data, recipe) or {}).get("spectral")
    if not told:
        return ""
    html = _channel_maps(products, data, recipe, pictures) + _spectra(products, data, recipe)
    return html + _maps(products, data, recipe, told)


def _channel_maps(products: Products, data: str, recipe: str, pictures: Pictures | None) -> str:
    cube = products.image(f"image/{data}/{recipe}/mean_beam.fits")
    beam_response = products.image(f"image/{data}/{recipe}/pb.fits")
    if cube is None or cube.ndim == 2 or pictures is None:
        return ""
    count = len(cube)
    shown = np.unique(np.linspace(0, count - 1, min(count, MOST_CHANNELS)).round().astype(int))
    half, middle = pictures.half_width(), cube.shape[-1] // 2
    inner = slice(middle - half, middle + half)
    response = 1.0 if beam_response is None else beam_response.values
    frequency = cube.coords["frequency_hz"].values / 1e9
    panels = [
        Panel(f"{frequency[number]:.4f} GHz", (cube.values[number] * response)[inner, inner])
        for number in shown
    ]
    beam = pictures.beam
    grid = Grid(pictures.cell_arcsec, (beam.major_arcsec, beam.minor_arcsec, beam.pa_deg))
    # The mean of the channels, which CLEAN's noise is of, has less than each of them.
    figure = figures_image.channel_maps(panels, grid, pictures.noise_jy * np.sqrt(count))
    which = "all channels" if len(shown) == count else f"{len(shown)} of {count} channels"
    caption = (
        f"Posterior mean of {which} at the CLEAN beam, not corrected for the primary beam; the pictures above are "
        "means over the channels."
    )
    return page.figure(figure, f"Channel maps of {data}.", caption)


def _spectra(products: Products, data: str, recipe: str) -> str:
    table = products.table(f"image/{data}/{recipe}/fluxes.ecsv")
    if table is None or "channel" not in table.colnames:
        return ""
    factor, unit = brightness_unit(float(np.nanmax(np.abs(floats(table["flux_jy"])))))
    spectra = {}
    for region in list(dict.fromkeys(table["region"]))[:MOST_REGIONS]:
        rows = table[table["region"] == region]
        names = ("frequency", "median", "p16", "p84", "p2.5", "p97.5")
        scales = (1e-9, *[factor] * 5)
        spectra[region] = [floats(rows[name]) * scale for name, scale in zip(names, scales, strict=True)]
    caption = "Flux of every channel: median, and what 68 and 95 % of the posterior samples hold."
    return page.figure(figures_fit.spectra(spectra, unit), f"Spectra of {data}.", caption)


def _maps(products: Products, data: str, recipe: str, told: dict) -> str:
    images = {
        name: products.image(f"image/{data}/{recipe}/{name}.fits")
        for name in (
            "moment0",
            "moment0_std",
            "moment1",
            "moment1_std",
            "spectral_index",
            "spectral_index_std",
        )
    }
    titles = {
        "moment0": ("Moment 0", "Jy/beam km/s"),
        "moment0_std": ("its std", "Jy/beam km/s"),
        "moment1": ("Moment 1", "km/s"),
        "moment1_std": ("its std", "km/s"),
        "spectral_index": ("Spectral index", ""),
        "spectral_index_std": ("its std", ""),
    }
    found = {name: image for name, image in images.items() if image is not None}
    if not found:
        return page.paragraph("Nothing is bright enough for a map of its spectrum.", "missing")
    panels = [Panel(titles[name][0], image.values, "value", titles[name][1]) for name, image in found.items()]
    if told["mode"] == "index":
        caption = (
            "Spectral index and its posterior standard deviation, where the brightness is at least five of its own; a "
            f"priori {plain(told['index_mean'])} ± {plain(told['index_std'])}."
        )
    else:
        caption = (
            "Moments of the cube at the CLEAN beam, of every sample, and their posterior standard deviations; moment 1 "
            "where moment 0 is at least five of them. Velocities are radio ones. A priori channels are alike over "
            f"{plain(told['correlation_channels'])} channels."
        )
    figure = figures_image.sky_row(panels, Grid(next(iter(found.values())).attrs["cell_arcsec"]), 0.0)
    return page.figure(figure, f"Maps of the spectrum of {data}.", caption)
