"""guard catalog import and status, at the edge of the process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.test_catalog_commands import run

PUBLIC = Path(__file__).parents[1] / "data" / "public"
NEW = '{"versions": {"26.2.8": {"date": "2026-10-12"}}}'


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(PUBLIC))) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_import_status_and_what_plan_makes_of_it(tmp_path: Path) -> None:
    overlay = tmp_path / "records"
    (tmp_path / "list.json").write_text(NEW)
    page = (PUBLIC / "a151050.md").read_text().replace("151050", "199999")
    (tmp_path / "a.md").write_text(page)
    for name in ("list.json", "a.md"):
        done = run("catalog", "import", str(tmp_path / name), "-o", str(overlay))
        assert (done.exit_code, "1 file" in done.stdout or "2 files" in done.stdout) == (0, True), done
    status = run("catalog", "status", "--catalog", str(overlay), "--format", "json")
    told = json.loads(status.stdout)
    assert told["releases_until"] == "2026-10-12"
    assert told["overlay"] == {"releases": ["v26.2.8"], "advisories": [], "drafts": ["A-199999"]}
    lint = run("catalog", "lint", str(overlay))
    assert lint.exit_code == 10
    assert "A-199999.toml: a draft" in lint.stdout
    again = run("catalog", "import", str(tmp_path / "list.json"), "-o", str(overlay))
    assert "0 files written" in again.stdout


def test_a_directory_and_an_address(tmp_path: Path, server: str) -> None:
    whole = run("catalog", "import", str(PUBLIC), "-o", str(tmp_path / "one"))
    assert whole.exit_code == 0
    assert "v24.2: v24.2.99" in whole.stdout
    one = run("catalog", "import", f"{server}/release-notes-v24.2.html", "-o", str(tmp_path / "two"))
    assert "v24.2: v24.2.99" in one.stdout
    assert (tmp_path / "two/series/24.2.toml").read_text() == (
        tmp_path / "one/series/24.2.toml"
    ).read_text()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("http://example.com/list.json", "only https"),
        ("nowhere.json", "cannot be read"),
        ("/dev/null", "not a regular file"),
    ],
)
def test_what_cannot_be_imported_is_a_usage_error(tmp_path: Path, source: str, message: str) -> None:
    done = run("catalog", "import", source, "-o", str(tmp_path / "records"))
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "records").exists()


def test_an_address_that_is_not_there(tmp_path: Path, server: str) -> None:
    done = run("catalog", "import", f"{server}/nothing.json", "-o", str(tmp_path / "records"))
    assert done.exit_code == 2
    assert "404" in done.stderr


def test_status_without_an_overlay_names_both_days() -> None:
    done = run("catalog", "status")
    assert done.exit_code == 0
    assert "Releases known until" in done.stdout
    assert "Advisories known until" in done.stdout
    assert "v26.3   innovation  no listed release; v26.3.2 by its tag or image only" in done.stdout
