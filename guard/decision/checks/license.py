"""Is there the license that this upgrade needs?

From v24.3 on every cluster needs a license key, Enterprise, Free, Trial or Evaluation. A major
upgrade cannot be made without a valid one; patch upgrades can, but the cluster is throttled to five
concurrent transactions once the grace period is over. With a Free or Trial license telemetry must
be on (``diagnostics.reporting.enabled``) for a major upgrade to be finalized. A single-node cluster
for development needs no license.

Patches of older series throttle as well: v23.1.29, v23.2.15, v24.1.7, v24.2.5 and later ones.

- start, finalize: block without a valid license, but on a single-node cluster, where it warns; warn
  when it expires within 7 days. UNKNOWN if the gateway does not say when it expires. A new cluster in
  its first days of grace may be let pass by the server all the same, and be throttled afterwards.
- next-node as the first restart of an upgrade: what start says, block and UNKNOWN included.
- next-node after that, and verify: warn about all of these. rollback: not asked.
- a target, or at verify a build that runs, which throttles and needs no license to be upgraded to:
  start and verify warn if there is none; other steps are not asked.
- earlier targets: not applicable.

guard never reads the key, only whether one is set and how many seconds are left, so it cannot tell
its kind. Telemetry that is off blocks finalize where the license is known to be a Free or Trial one,
and is UNKNOWN there while the kind is unknown; in the other steps it is a warning. A license that says
nothing about its end may be one without an end: a warning too.

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
from guard.versions import Build, Series

__all__ = ["CHECK"]

_NEEDED_FROM: Final = Series(24, 3)
_THROTTLES_FROM: Final = {
    Series(23, 1): 29,
    Series(23, 2): 15,
    Series(24, 1): 7,
    Series(24, 2): 5,
}
"""The patch of an older series from which on a cluster without a license is throttled."""
_SOON: Final = dt.timedelta(days=7)
_TELEMETRY: Final = "diagnostics.reporting.enabled"
_NEEDS_TELEMETRY: Final = frozenset({"free", "trial"})
_GET: Final = (
    "Get a license key: https://www.cockroachlabs.com/docs/stable/licensing-faqs#obtain-a-license",
    "SET CLUSTER SETTING enterprise.license = '...';",
)


def _build_at_stake(situation: Situation) -> Build | None:
    """What will run after this step; at verify the newest build that runs."""
    if situation.step is not Step.VERIFY:
        return situation.target
    return max((n.build for n in situation.cluster.members if n.build is not None), default=None)


def _throttles(build: Build) -> bool:
    """True if the build throttles a cluster without a license once the grace period is over."""
    since = _THROTTLES_FROM.get(build.series)
    return build.series >= _NEEDED_FROM or (since is not None and build.patch >= since)


def _needs_one(situation: Situation, build: Build) -> bool:
    """True if this upgrade cannot be made without a license."""
    if situation.step is Step.VERIFY:
        return build.series >= _NEEDED_FROM
    return build.series >= _NEEDED_FROM and not situation.is_patch


def run(situation: Situation) -> Iterator[Finding]:
    """Yield one finding for the license and one for telemetry, if it matters."""
    build = _build_at_stake(situation)
    if build is None or not _throttles(build):
        yield CHECK.finding(
            Outcome.NOT_APPLICABLE,
            "without a target there is no upgrade to need a license"
            if build is None
            else f"{build} needs no license",
        )
        return
    needs = _needs_one(situation, build)
    if not needs and situation.step not in (Step.START, Step.VERIFY):
        yield CHECK.finding(Outcome.NOT_APPLICABLE, "this step can be made without a license")
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
    if not needs:
        yield _throttled(build, license_row, evidence)
        return
    yield _license(situation, license_row, evidence)
    if license_row.present:
        yield from _telemetry(situation, license_row)


def _throttled(build: Build, row: LicenseRow, evidence: dict[str, Any]) -> Finding:
    """A build that is reached without a license, and throttles without one."""
    left = dt.timedelta(seconds=row.seconds_left or 0)
    if row.present and not left:
        return CHECK.finding(Outcome.PASS, "a license is set", evidence=evidence)
    if row.present and left > dt.timedelta():
        return CHECK.finding(
            Outcome.WARN if left < _SOON else Outcome.PASS,
            f"the license expires in {span(left)}"
            if left < _SOON
            else f"a license is set and good for {span(left)}",
            evidence=evidence,
            remedy=_GET if left < _SOON else (),
        )
    expired = f"the license expired {span(-left)} ago, and " if row.present else ""
    return CHECK.finding(
        Outcome.WARN,
        f"{expired}{build} throttles a cluster without a valid license",
        "The upgrade can be made without one; when the grace period is over the cluster is throttled "
        "to five concurrent transactions.",
        evidence=evidence,
        remedy=_GET,
    )


def _license(situation: Situation, row: LicenseRow, evidence: dict[str, Any]) -> Finding:
    single = len(situation.cluster.members) == 1
    must = (situation.opens or situation.step is Step.FINALIZE) and not single
    bad = Outcome.BLOCK if must else Outcome.WARN
    if not row.present:
        return CHECK.finding(
            bad,
            "no license is set",
            "A single-node cluster for development needs none; production does."
            if single
            else "From v24.3 on a major upgrade needs one. A cluster in its first days of grace may be "
            "let pass by the server, and is throttled to five concurrent transactions afterwards.",
            evidence=evidence,
            remedy=_GET,
        )
    if row.seconds_left is None:
        return CHECK.finding(
            Outcome.UNKNOWN if must else Outcome.WARN,
            "a license is set, but the gateway does not say when it expires",
            evidence=evidence,
            remedy=(
                "See when it expires in the DB Console.",
                *(("If it is good: --accept license --reason 'good until ...'",) if must else ()),
            ),
        )
    left = dt.timedelta(seconds=row.seconds_left)
    if row.seconds_left < 0:
        return CHECK.finding(
            bad,
            f"the license expired {span(-left)} ago",
            "From v24.3 on a major upgrade needs a valid one, and without it a cluster is throttled to "
            "five concurrent transactions once the grace period is over.",
            evidence=evidence,
            remedy=_GET,
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
    bad = Outcome.BLOCK if known else Outcome.UNKNOWN
    yield CHECK.finding(
        bad if situation.step is Step.FINALIZE else Outcome.WARN,
        f"telemetry is off, and a {kind} license needs it"
        if known
        else "telemetry is off; a Free or Trial license needs it",
        "Without it a major upgrade cannot be finalized, and the cluster is throttled after 7 days.",
        evidence={_TELEMETRY: "false", "kind": row.kind},
        remedy=(
            f"SET CLUSTER SETTING {_TELEMETRY} = true;",
            *(
                ("Or, where it is an Enterprise license: --accept license --reason '...'",)
                if not known and situation.step is Step.FINALIZE
                else ()
            ),
        ),
    )


CHECK = Check(
    id="license",
    title="there is the license that the target needs",
    reads=("license", "settings", "gossip_nodes"),
    docs=f"{DOCS}/stable/licensing-faqs",
    explain=__doc__,
    run=run,
)
