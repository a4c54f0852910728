"""The whole configuration of a run, made of the settings of each stage."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from almabrain.config.base import Name, Strict, check
from almabrain.config.campaign import CampaignSettings, Observation
from almabrain.config.catalogue import CatalogueSettings
from almabrain.config.image import ImageSettings
from almabrain.config.noise import NoiseSettings
from almabrain.config.query import QuerySettings
from almabrain.config.simulate import SimulateSettings
from almabrain.config.sky import SkySettings
from almabrain.config.train import TrainSettings
from almabrain.console.errors import UserError

RESERVED_RECIPES = {"dirty", "fits"}


class Configuration(Strict):
    """Everything a user may say; a campaign, observations of one's own, or both."""

    run: Name = Field("run", description="Name of the run; its products go to <results>/<run>.")
    results: str = Field(
        "results",
        min_length=1,
        description="Folder of all products; may lie anywhere, on scratch for instance.",
    )
    seed: int = Field(42, ge=0, lt=2**63, description="Seed of everything random in the run.")
    campaign: CampaignSettings | None = Field(
        None, description="Simulated observations with known truth; null for none."
    )
    observations: dict[Name, Observation] = Field(
        {}, description="Observations of one's own by name; each becomes the data set obs-<name>."
    )
    query: QuerySettings = Field(QuerySettings(), description="Which archive rows the campaign uses.")
    sky: SkySettings = Field(SkySettings(), description="What the simulated sky holds.")
    simulate: SimulateSettings = Field(SimulateSettings(), description="How the sky is observed.")
    noise: NoiseSettings = Field(NoiseSettings(), description="How the noise is made.")
    train: TrainSettings = Field(TrainSettings(), description="How the network is trained.")
    image: ImageSettings = Field(ImageSettings(), description="How images are reconstructed.")
    catalogue: CatalogueSettings = Field(CatalogueSettings(), description="How sources are found and scored.")

    @model_validator(mode="after")
    def _something_to_do(self) -> "Configuration":
        if self.campaign is None and not self.observations:
            raise ValueError(
                "neither 'campaign' nor 'observations' is given, so there is nothing to do; add "
                "'campaign: {}' for simulations, or 'observations: {name: {path: ...}}' for data of your own"
            )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "Configuration":
        taken = RESERVED_RECIPES & set(self.image.recipes)
        if taken:
            raise ValueError(
                f"the recipe name '{min(taken)}' of image.recipes is used for catalogues of dirty images and of FITS "
                "files; choose another name"
            )
        wanted = self.campaign and (self.campaign.image or "ms" in self.campaign.export)
        if wanted and not self.simulate.visibilities:
            raise ValueError(
                "simulate.visibilities is false, but campaign.image or the export ms needs the visibilities; set it "
                "to true, or campaign.image to false without the export ms"
            )
        return self

    @property
    def noise_reference_file(self) -> str | None:
        """Path of the noise reference where it is a file of the user's, None for a built-in table."""
        reference = self.noise.reference
        return (
            reference
            if "/" in reference or reference.lower().endswith((".fits", ".fit", ".fits.gz"))
            else None
        )

    @property
    def noise_reference_name(self) -> str:
        """Name of the noise model's files."""
        return Path(self.noise.reference).name.split(".")[0]

    @property
    def query_file(self) -> str | None:
        """The table of archive rows where the source is a file."""
        return self.query.file if self.query.source == "file" else None

    @property
    def files(self) -> dict[str, str]:
        """Paths of the user's own data by the key that names them."""
        named = {}
        for name, item in self.observations.items():
            for number, path in enumerate(item.paths):
                place = f"[{number}]" if len(item.paths) > 1 else ""
                named[f"observations.{name}.path{place}"] = path
            named[f"observations.{name}.total_power"] = item.total_power
        named |= {"query.file": self.query_file, "noise.reference": self.noise_reference_file}
        named |= {f"image.recipes.{name}.regions": item.regions for name, item in self.image.recipes.items()}
        if self.campaign:
            named |= {f"sky.{key}": path for key, path in self.sky.files.items()}
        return {key: path for key, path in named.items() if path}

    def require_files(self) -> None:
        """Raise UserError where a file or folder that the configuration names is not there."""
        for key, path in self.files.items():
            if not Path(path).exists():
                raise UserError(
                    f"{key} is {path}, which does not exist; give a path that does (relative ones begin at "
                    f"{Path.cwd()})"
                )


def read_configuration(values: dict[str, Any]) -> Configuration:
    """The configuration in a mapping (as Snakemake merges it); UserError with a sentence per mistake."""
    return check(Configuration, values)


def load_configuration(path: str | Path) -> Configuration:
    """The configuration in a YAML file; UserError names the file where it cannot be read."""
    try:
        values = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give a configuration file") from None
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        raise UserError(f"{path} is not valid YAML{line}; check indentation and colons there") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no keys; see config/README.md for a first one")
    return read_configuration(values)
