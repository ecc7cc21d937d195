"""Findings that no check makes but guard itself, each with the page of ``guard explain``."""

from __future__ import annotations

from typing import Final

__all__ = ["OWN"]

OWN: Final[dict[str, str]] = {
    "step": (
        "Which step is it, and where to? Unknown when --step auto cannot tell from the builds and the\n"
        "cluster version which step comes next, and when a start has no target. Name the step and the\n"
        "target. Can never be waived."
    ),
    "fingerprint": (
        "Is the state the one that was approved? Made by --expect-fingerprint TOKEN only. Every\n"
        "report carries a fingerprint of the state its verdict rests on: the step, the target and\n"
        "--node, the member nodes with build, membership, liveness and start, the cluster version,\n"
        "the settings guard reads, active backups, restores and schema changes, the schedules that\n"
        "are due, and what could be seen. Given back, guard blocks if any of that has changed; given\n"
        "back as the JSON report (--expect-fingerprint FILE) it says what has. Can\n"
        "never be waived: leave the option out instead."
    ),
    "settle": (
        "Did two looks agree? Made by --settle TIME only: an ALLOW is given after two looks that far\n"
        "apart which both allow and have the same fingerprint. Unknown if the state moved in between;\n"
        "--wait goes on until it holds still. Can never be waived: leave the option out instead."
    ),
    "snapshot-age": (
        "Is the snapshot young enough to permit anything? Made for --snapshot FILE only: in a step\n"
        "that changes the cluster (start, next-node, finalize, rollback) a snapshot older than\n"
        "--max-age, one hour unless said otherwise, permits nothing; what blocks still blocks.\n"
        "--max-age none is for tests, studies and replays. Can never be waived: take a new snapshot."
    ),
    "policy-target": (
        "May the policy's cluster go to this target? Made if the policy names targets; blocks a start\n"
        "and the next node if the target is none of them; a custom build goes by the name of its\n"
        "release. The way back and the end need no permission."
    ),
}
