"""Fixtures that several test packages share, and how long fuzzing takes.

Hypothesis stays within seconds by default; see tests/fuzzing.py for ``GUARD_FUZZ``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from guard.decision import engine
from guard.decision.check_definition import Check
from guard.decision.checks import ALL
from guard.decision.result import Finding, Outcome
from guard.decision.situation import Situation
from guard.decision.table import TABLE
from tests.cluster.fake import Fake
from tests.cluster.postgres import CannotRun, Postgres
from tests.decision.explained import told
from tests.fuzzing import PROFILE, examples

# No deadline for one example: a machine that is busy is no fault of guard's.
settings.register_profile(
    PROFILE,
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow] if PROFILE == "long" else [],
)
settings.load_profile(PROFILE)


_bytecode: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Some thousands of tests start a guard: keep byte code where this environment keeps none."""
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        _bytecode.append(tempfile.mkdtemp(prefix="guard-bytecode-"))
        os.environ["PYTHONPYCACHEPREFIX"] = _bytecode[0]
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_unconfigure() -> None:
    """Take the byte code away again."""
    while _bytecode:
        shutil.rmtree(_bytecode.pop(), ignore_errors=True)


def pytest_xdist_auto_num_workers() -> int:
    """One more than cores: tests wait now and then, but each worker has to collect them all."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def fake() -> Iterator[Fake]:
    """The fake CockroachDB. Skips, with the reason, where no PostgreSQL can run."""
    try:
        server = Postgres()
    except CannotRun as reason:
        pytest.skip(f"no PostgreSQL server to stand in for CockroachDB: {reason}")
    try:
        yield Fake(server)
    finally:
        server.close()


@pytest.fixture(autouse=True, scope="session")
def _outcomes_lie_in_their_cells() -> Iterator[None]:
    """Whatever a check says in a step its cell in the step table must allow, and its page tell.

    Of passing no page need tell, nor that a check is unknown where it could not look, or crashed. And
    whoever is not let pass is told what to do.
    """
    said = engine._said

    def watched(check: Check, situation: Situation) -> list[Finding]:
        found = said(check, situation)
        cell = TABLE.get(check.id, {}).get(situation.step)
        if cell is not None and check in ALL:  # a test may give the id to a check of its own
            letters = {Outcome.BLOCK: "B", Outcome.WARN: "W"}
            for finding in found:
                letter = letters.get(finding.outcome)
                says = f"{check.id} says {finding.outcome} at {situation.step}: {finding.title}"
                assert letter is None or letter in cell.split(), says
                silent = finding.outcome is Outcome.PASS or finding.evidence.get("crashed")
                if not silent and not finding.title.startswith("could not look:"):
                    assert finding.outcome in told(check.explain)[situation.step], f"{says}: no page"
                    refuses = finding.outcome in (Outcome.BLOCK, Outcome.UNKNOWN)
                    unseen = check.id == "visibility"  # the server's refusal says what to grant
                    assert finding.remedy or unseen or not refuses, f"{says}: and no remedy"
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_said", watched)
        yield
