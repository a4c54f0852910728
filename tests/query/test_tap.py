"""The TAP client against a service on this machine that answers, refuses, fails or stays silent."""

import io
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import pytest
from astropy.table import Table

from almabrain.config.query import QuerySettings
from almabrain.console.errors import UserError
from almabrain.query import selection, sources, tap

pytest.importorskip("pyvo")
WINDOW = "[343.00..345.00GHz,31.25MHz,1mJy/beam@10km/s,80uJy/beam@native, XX YY]"
REFUSAL = """<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">no such column</INFO></RESOURCE></VOTABLE>"""


def votable() -> bytes:
    table = Table(
        {
            "target_name": ["Alpha"],
            "s_ra": [150.0],
            "s_dec": [-20.0],
            "band_list": ["7"],
            "spatial_resolution": [0.8],
            "s_fov": [0.005],
            "t_exptime": [600.0],
            "t_min": [58200.1],
            "pwv": [0.7],
            "cont_sensitivity_bandwidth": [0.05],
            "frequency_support": [WINDOW],
            "antenna_arrays": ["A001:DV01 A002:DA41 A003:PM01"],
            "proposal_id": ["2017.1.00001.S"],
            "member_ous_uid": ["uid://A001/X1/X1"],
            "scientific_category": ["Active galaxies"],
            "science_keyword": ["Outflows"],
        }
    )
    out = io.BytesIO()
    table.write(out, format="votable")
    return out.getvalue()


@pytest.fixture
def service():
    """Starts a service whose answers are given one by one: bytes, an HTTP status, or seconds of silence."""
    servers = []

    def start(*answers):
        asked, waiting = [], list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode(errors="replace")
                asked.append(parse_qs(body).get("QUERY", [body])[0])
                answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                if isinstance(answer, float):
                    time.sleep(answer)
                    answer = 503
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("Content-Type", "application/x-votable+xml")
                self.end_headers()
                self.wfile.write(b"" if isinstance(answer, int) else answer)

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/tap", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    pauses = []
    monkeypatch.setattr(tap.time, "sleep", pauses.append)
    return pauses


def test_rows_of_a_service_become_executions(service):
    address, asked = service(votable())
    settings = QuerySettings(source="tap", service=address, bands=[7], keyword="outflow")
    rows, name = sources.rows(settings)
    row = selection.select(rows, settings, name)[0]
    assert (row["target_name"], row["band_list"], row["array"]) == ("Alpha", 7, "12m")
    assert row["proposal_id"] == "2017.1.00001.S" and row["s_fov"] == pytest.approx(18)
    assert row["cont_sensitivity"] == pytest.approx(0.05)
    assert len(asked) == 1 and "ivoa.obscore" in asked[0] and "band_list = '7'" in asked[0]


def test_a_service_that_fails_twice_is_asked_a_third_time(service, no_pauses):
    address, asked = service(503, 500, votable())
    assert len(tap.fetch(QuerySettings(source="tap", service=address))) == 1
    assert len(asked) == 3 and no_pauses == [2.0, 4.0]


def test_a_service_that_always_fails_ends_in_one_sentence(service):
    address, asked = service(503)
    with pytest.raises(UserError, match="did not answer in 3 tries.*query.source: snapshot"):
        tap.fetch(QuerySettings(source="tap", service=address))
    assert len(asked) == 3


def test_a_silent_service_times_out(service, monkeypatch):
    monkeypatch.undo()
    address, _ = service(1.0)
    start = time.monotonic()
    with pytest.raises(UserError, match="did not answer in 3 tries"):
        tap.fetch(QuerySettings(source="tap", service=address, timeout_s=0.1), pause_s=0.01)
    assert time.monotonic() - start < 5


def test_nobody_listens():
    with pytest.raises(UserError, match="go on offline with query.source: snapshot"):
        tap.fetch(QuerySettings(source="tap", service="http://127.0.0.1:9/tap"))


def test_a_refused_query_is_not_asked_again(service):
    address, asked = service(REFUSAL.encode())
    with pytest.raises(UserError, match="refused the query .no such column"):
        tap.fetch(QuerySettings(source="tap", service=address))
    assert len(asked) == 1


def test_names_of_services():
    assert tap.url("nrao").startswith("https://almascience.nrao.edu")
    with pytest.raises(UserError, match="query.service is 'nraoo'; did you mean 'nrao'"):
        tap.url("nraoo")


def test_question_holds_the_selection_and_quotes_names():
    question = tap.adql(
        QuerySettings(
            source="tap",
            bands=[1, 6],
            targets=["O'Neill"],
            resolution_arcsec=(0.1, 1),
            integration_s=(20, 3600),
            frequency_ghz=(299.792458, 599.584916),
            categories=["Cosmology"],
            keyword="Jets",
        )
    )
    assert "LOWER(target_name) = 'o''neill'" in question
    assert "band_list = '1'" in question and "'%1%'" not in question
    assert (
        "spatial_resolution BETWEEN 0.1 AND 1.0" in question
        and "t_exptime BETWEEN 20.0 AND 3600.0" in question
    )
    assert "em_min <= 0.001 AND em_max >= 0.0005" in question  # wavelengths in metres
    assert "LOWER(scientific_category) = 'cosmology'" in question and "LIKE '%jets%'" in question
