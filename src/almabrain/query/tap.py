"""Rows from the ALMA Science Archive's TAP service, or from any that speaks ObsCore as it does."""

import logging
import time

from astropy.table import Table

from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError, nearest
from almabrain.data.constants import SPEED_OF_LIGHT_M_S

SERVICES = {
    "eso": "https://almascience.eso.org/tap",
    "nrao": "https://almascience.nrao.edu/tap",
    "naoj": "https://almascience.nao.ac.jp/tap",
}
COLUMNS = (
    "target_name, s_ra, s_dec, band_list, spatial_resolution, s_fov, t_exptime, t_min, pwv, "
    "cont_sensitivity_bandwidth, frequency_support, antenna_arrays, proposal_id, member_ous_uid, "
    "scientific_category, science_keyword"
)
TRIES = 3
FIRST_PAUSE_S = 2.0

log = logging.getLogger(__name__)


def url(service: str) -> str:
    """The address of a TAP service given by its short name or by its address."""
    if "://" in service:
        return service
    if service not in SERVICES:
        raise UserError(
            f"query.service is '{service}'{nearest(service, SERVICES)}; "
            f"allowed: {', '.join(SERVICES)} or an address that begins with https://"
        )
    return SERVICES[service]


def adql(settings: QuerySettings) -> str:
    """The ADQL question for a selection; what ADQL cannot say exactly is selected again on the rows."""
    where = ["is_mosaic = 'F'", "science_observation = 'T'"]
    if settings.bands:
        where.append(_any(_band_clause(band) for band in settings.bands))
    if settings.targets:
        where.append(_any(f"LOWER(target_name) = {_quote(name.lower())}" for name in settings.targets))
    for column, limits in (
        ("spatial_resolution", settings.resolution_arcsec),
        ("t_exptime", settings.integration_s),
    ):
        if limits:
            where.append(f"{column} BETWEEN {limits[0]} AND {limits[1]}")
    if settings.frequency_ghz:
        longest, shortest = (SPEED_OF_LIGHT_M_S / (limit * 1e9) for limit in settings.frequency_ghz)
        where.append(f"em_min <= {longest:.9g} AND em_max >= {shortest:.9g}")
    if settings.categories:
        where.append(
            _any(f"LOWER(scientific_category) = {_quote(name.lower())}" for name in settings.categories)
        )
    if settings.keyword:
        where.append(f"LOWER(science_keyword) LIKE {_quote('%' + settings.keyword.lower() + '%')}")
    return f"SELECT {COLUMNS} FROM ivoa.obscore WHERE {' AND '.join(where)}"


def fetch(settings: QuerySettings, pause_s: float = FIRST_PAUSE_S) -> Table:
    """Ask the service, up to 3 times with pauses of `pause_s` and twice that; UserError when it stays silent.

    A question that the service refuses (a query error) is not asked again.
    """
    import pyvo

    address = url(settings.service)
    service = pyvo.dal.TAPService(address, session=_session(settings.timeout_s))
    for attempt in range(TRIES):
        try:
            found = service.search(adql(settings), maxrec=settings.max_rows).to_table()
            break
        except pyvo.dal.DALQueryError as error:
            raise UserError(
                f"the TAP service {address} refused the query ({_reason(error)}); {_OFFLINE}"
            ) from None
        except Exception as error:  # network, HTTP and VOTable errors come in many classes
            log.info("try %d of %d: %s did not answer (%s)", attempt + 1, TRIES, address, _reason(error))
            reason = _reason(error)
        if attempt + 1 < TRIES:
            time.sleep(pause_s * 2**attempt)
    else:
        raise UserError(f"the TAP service {address} did not answer in {TRIES} tries ({reason}); {_OFFLINE}")
    if len(found) == settings.max_rows:
        log.info("%s had more rows than query.max_rows = %d; the first were taken", address, len(found))
    return found


_OFFLINE = "choose another query.service, or go on offline with query.source: snapshot"


def _session(timeout_s: float):
    import requests

    class Impatient(requests.Session):
        """A session that gives up: requests itself would wait for ever."""

        def request(self, *args, **kwargs):
            return super().request(*args, **{"timeout": timeout_s, **kwargs})

    return Impatient()


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120] or type(error).__name__


def _band_clause(band: int) -> str:
    # band_list is text such as '6' or '6 7'; a bare LIKE '%1%' would find band 10 too
    return _any([f"band_list = '{band}'", f"band_list LIKE '{band} %'", f"band_list LIKE '% {band}'"])


def _any(clauses) -> str:
    return f"({' OR '.join(clauses)})"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
