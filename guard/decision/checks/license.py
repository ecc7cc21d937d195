"""Is there the license that a major upgrade to v24.3 or later needs?

From v24.3 on every cluster needs a license key, Enterprise, Free, Trial or Evaluation. A major
upgrade cannot be made without a valid one; patch upgrades can, but the cluster is throttled to five
concurrent transactions once the grace period is over. With a Free or Trial license telemetry must
be on (``diagnostics.reporting.enabled``) for a major upgrade to be finalized. A single-node cluster
for development needs no license.

- start, finalize: block without a valid license; warn when it expires within 7 days.
- next-node, verify: warn. rollback: not asked.
- targets before v24.3, patch upgrades: not applicable. verify asks whenever v24.3 or later is active.

guard never reads the key, only whether one is set and how many seconds are left, so it cannot tell
its kind: telemetry that is off is a warning unless the kind is known. A license that says nothing
about its end may be one without an end: a warning too.

Reads enterprise.license (whether it is set), the expiry metric of the gateway and the setting
diagnostics.reporting.enabled. Source: the licensing FAQs and the upgrade pages of v24.3 and later.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any, Final

from guard.cluster.missing import NotCollected
from guard.decision.check_definition import DOCS, Check
from guard.decision.phrases import span
from guard.decision.result import Finding, Outcome, Step
from guard.decision.situation import Situation
from guard.snapshot.model import LicenseRow, Reason, Unavailable
from guard.versions import Series

__all__ = ["CHECK"]

_NEEDED_FROM: Final = Series(24, 3)
_SOON: Final = dt.timedelta(days=7)
_TELEMETRY: Final = "diagnostics.reporting.enabled"
_NEEDS_TELEMETRY: Final = frozenset({"free", "trial"})
_GET: Final = (
    "Get a license key: https://www.cockroachlabs.com/docs/stable/licensing-faqs#obtain-a-license",
    "SET CLUSTER SETTING enterprise.license = '...';",
)


def _why_not_applicable(situation: Situation) -> str:
    if situation.step is Step.VERIFY:
        if situation.cluster.active_series < _NEEDED_FROM:
            return f"v{situation.cluster.active_series} needs no license"
        return ""
    if situation.target is None:
        return "without a target there is no upgrade to need a license"
    if situation.target.series < _NEEDED_FROM:
        return f"v{situation.target.series} needs no license"
    if situation.is_patch:
        return "a patch upgrade can be made without a license"
    return ""


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for the license and one for telemetry, if it matters."""
    why = _why_not_applicable(situation)
    if why:
        yield CHECK.finding(Outcome.NOT_APPLICABLE, why)
        return
    rows = situation.cluster.rows("license")
    if len(rows) != 1:
        raise NotCollected(
            "license", Unavailable(reason=Reason.MALFORMED, message="not exactly one answer")
        )
    license_row: LicenseRow = rows[0]
    evidence: dict[str, Any] = {
        "present": license_row.present,
        "kind": license_row.kind,
        "seconds_left": license_row.seconds_left,
    }
    yield _license(situation, license_row, evidence)
    if license_row.present:
        yield from _telemetry(situation, license_row)


def _license(situation: Situation, row: LicenseRow, evidence: dict[str, Any]) -> Finding:
    single = len(situation.cluster.members) == 1
    must = situation.step in (Step.START, Step.FINALIZE) and not single
    bad = Outcome.BLOCK if must else Outcome.WARN
    if not row.present:
        return CHECK.finding(
            bad,
            "no license is set",
            "A single-node cluster for development needs none; production does."
            if single
            else "From v24.3 on a major upgrade needs one, and a cluster without is throttled.",
            evidence=evidence,
            remedy=_GET,
        )
    if row.seconds_left is None:
        return CHECK.finding(
            Outcome.UNKNOWN if must else Outcome.WARN,
            "a license is set, but the gateway does not say when it expires",
            evidence=evidence,
            remedy=("See when it expires in the DB Console.",),
        )
    left = dt.timedelta(seconds=row.seconds_left)
    if row.seconds_left < 0:
        return CHECK.finding(
            bad, f"the license expired {span(-left)} ago", evidence=evidence, remedy=_GET
        )
    if row.seconds_left == 0:
        return CHECK.finding(
            Outcome.WARN,
            "a license is set, but it tells no end",
            "It has none, or it was set so lately that the gateway has not read it yet.",
            evidence=evidence,
            remedy=("See when it expires in the DB Console.",),
        )
    if left < _SOON:
        return CHECK.finding(
            Outcome.WARN, f"the license expires in {span(left)}", evidence=evidence, remedy=_GET
        )
    return CHECK.finding(Outcome.PASS, f"a license is set and good for {span(left)}", evidence=evidence)


def _telemetry(situation: Situation, row: LicenseRow) -> Iterator[Finding]:
    kind = row.kind.lower() if row.kind else None
    if kind is not None and kind not in _NEEDS_TELEMETRY:
        return
    if situation.cluster.setting(_TELEMETRY) != "false":
        return
    known = kind is not None
    yield CHECK.finding(
        Outcome.BLOCK if known and situation.step is Step.FINALIZE else Outcome.WARN,
        f"telemetry is off, and a {kind} license needs it"
        if known
        else "telemetry is off; a Free or Trial license needs it",
        "Without it a major upgrade cannot be finalized, and the cluster is throttled after 7 days.",
        evidence={_TELEMETRY: "false", "kind": row.kind},
        remedy=(f"SET CLUSTER SETTING {_TELEMETRY} = true;",),
    )


CHECK = Check(
    id="license",
    title="there is the license that the target needs",
    reads=("license", "settings", "gossip_nodes"),
    docs=f"{DOCS}/stable/licensing-faqs",
    explain=__doc__,
    run=run,
    steps=(Step.START, Step.NEXT_NODE, Step.FINALIZE, Step.VERIFY),
    with_finalize=True,
)
