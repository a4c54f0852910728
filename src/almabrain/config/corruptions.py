"""What a user may say about the faults of the instrument and of the air; docs/corruptions.md has the laws."""

from typing import Literal

from pydantic import Field

from almabrain.config.base import Strict


class GainSettings(Strict):
    """Complex gains that drift, every antenna and polarisation by itself."""

    amplitude_rms: float = Field(
        0.0, ge=0, le=0.3, description="Rms of the gains' amplitude as a fraction, such as 0.03; 0 for none."
    )
    phase_rms_deg: float = Field(
        0.0, ge=0, le=180, description="Rms of the gains' phase [deg], such as 10; 0 for none."
    )
    correlation_s: float = Field(
        600.0, gt=0, description="Time [s] after which the drift's autocorrelation has fallen to 1/e."
    )


class TroposphereSettings(Strict):
    """Water vapour that the wind carries over the array."""

    path_rms_um: float = Field(
        0.0,
        ge=0,
        le=10000,
        description="Rms difference of path [µm] on baselines of 1 km at zenith, such as 200, as if the outer "
        "scale lay beyond; 0 for none.",
    )
    effect: Literal["both", "phase", "decorrelation"] = Field(
        "both",
        description="phase: every dump has the phase of its mean path; decorrelation: dumps lose amplitude to "
        "what changes within them, as if their phases were then calibrated perfectly; both.",
    )
    wvr_residual: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the path that is left after correction by the water vapour radiometers, such "
        "as 0.5; 1 where path_rms_um is already the corrected one.",
    )
    thickness_m: float = Field(
        1000.0,
        gt=0,
        description="Thickness of the turbulent layer [m]: shorter baselines see it in three dimensions (path "
        "rms as b^5/6), longer ones in two (b^1/3).",
    )
    outer_scale_m: float = Field(
        6000.0,
        ge=50,
        le=100000,
        description="Baseline [m] from which on the path rms no longer grows; half of wind times cycle time "
        "where phase is calibrated by a reference source.",
    )
    wind_m_s: float = Field(
        10.0,
        ge=0,
        le=100,
        description="Speed [m/s] at which the layer moves, in a direction drawn at random.",
    )


class BandpassSettings(Strict):
    """Standing waves along frequency, every antenna and polarisation by itself."""

    amplitude_rms: float = Field(
        0.0, ge=0, le=0.3, description="Rms of the ripple in amplitude as a fraction; 0 for none."
    )
    phase_rms_deg: float = Field(
        0.0, ge=0, le=180, description="Rms of the ripple in phase [deg]; 0 for none."
    )
    period_mhz: float = Field(500.0, gt=0, description="Period of the ripple [MHz].")


class PointingSettings(Strict):
    """Dishes that look beside the pointing."""

    rms_arcsec: float = Field(
        0.0,
        ge=0,
        le=10,
        description="Rms angle [arcsec] of an antenna from where it should point, both axes together, such as "
        "0.6; 0 for none.",
    )
    correlation_s: float = Field(
        600.0, gt=0, description="Time [s] after which the offsets' autocorrelation has fallen to 1/e."
    )


class FlagSettings(Strict):
    """Data that are lost, chosen at random."""

    antenna_scans: float = Field(
        0.0, ge=0, lt=1, description="Share of the antennas' scans that is flagged; 0 for none."
    )
    baselines: float = Field(
        0.0, ge=0, lt=1, description="Share of the baselines that is flagged all the time; 0 for none."
    )
    rows: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the rows, one baseline at one time, that is flagged; 0 for none.",
    )


class CorruptionSettings(Strict):
    """What goes wrong on the way from the sky to the visibilities; all of it off unless set."""

    gain: GainSettings = Field(GainSettings(), description="Drifting gains of the antennas.")
    troposphere: TroposphereSettings = Field(
        TroposphereSettings(), description="Phase noise of the air, and the signal that dumps lose by it."
    )
    bandpass: BandpassSettings = Field(BandpassSettings(), description="Ripple along frequency.")
    pointing: PointingSettings = Field(PointingSettings(), description="Errors of the antennas' pointing.")
    flags: FlagSettings = Field(FlagSettings(), description="Data that are lost.")
