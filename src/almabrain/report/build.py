"""The whole report of a run: one page that says what was done, how well, and with what."""

from pathlib import Path

from almabrain.report import (
    page,
    section_catalogue,
    section_image,
    section_noise,
    section_run,
    section_train,
)
from almabrain.report.products import Products


def build(settings: dict, results: str | Path, dot: str) -> str:
    """The HTML of the report on the run in the folder `results`, made with `settings` by the graph `dot`."""
    products = Products(Path(results), settings)
    sections = [
        ("Summary", section_run.summary(products)),
        ("Workflow", section_run.rule_graph(dot)),
        ("Observations", section_run.observations(products)),
        ("Noise", section_noise.section(products)),
        ("Training", section_train.section(products)),
        ("Images", section_image.section(products)),
        ("Sources", section_catalogue.section(products)),
        ("Software", section_run.software()),
        ("Configuration", section_run.configuration(settings)),
    ]
    name = settings.get("run", Path(results).name)
    lead = "From ALMA data to images with uncertainties and source catalogues."
    return page.page(f"almabrain: {name}", lead, sections)
