"""What the commands that ask about a step share: reading the target, knowing the ids of a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guard.cli.options import usage

if TYPE_CHECKING:
    from guard.catalog import Catalog
    from guard.versions import Build

__all__ = ["known_ids", "read_target"]


def read_target(target: str | None) -> Build | None:
    """Read ``--target``, with or without the v; anything that is no build is a usage error."""
    from guard.versions import Build, Series, VersionError

    if target is None:
        return None
    try:
        series = Series.parse(target)
    except VersionError:
        pass
    else:
        usage(
            f"--target {target} is a series; the patch release is missing: v{series}.N, such as "
            f"v{series}.0 (guard plan names the newest)"
        )
    try:
        return Build.parse(target if target.startswith("v") else f"v{target}")
    except VersionError:
        usage(f"--target {target!r} is not a build such as v21.2.1")


def known_ids(catalog: Catalog) -> tuple[str, ...]:
    """The ids that a policy may name: of checks and of advisories."""
    from guard.decision.checks import ALL
    from guard.decision.policy.apply import Ids

    return Ids.of(ALL, catalog).known
