"""The MIGRATION jobs of an upgrade: which run, which stand still, which failed for good."""

from __future__ import annotations

import datetime as dt
from typing import Final

import msgspec

from guard.cluster.jobs import active_jobs_of, ended_badly, is_one_of, is_stuck
from guard.cluster.picture import Cluster
from guard.snapshot.model import Collected, JobRow, MigrationRow

__all__ = ["MigrationJobs", "completed_migrations"]

_TYPES: Final = frozenset({"MIGRATION"})
_MOVING: Final = frozenset({"pending", "running", "retry-running"})


def completed_migrations(cluster: Cluster) -> tuple[MigrationRow, ...]:
    """Completed migrations as the server recorded them; none if it did not let us look."""
    section = cluster.snapshot.migrations
    return section.rows if isinstance(section, Collected) else ()


class MigrationJobs(msgspec.Struct, frozen=True):
    """Where the migrations of an upgrade stand.

    Attributes:
        moving: those that run.
        stuck: those that are paused, about to be, reverting or tried again for a day.
        failed: those that failed and that no later one has made good, while none runs and the upgrade
            is open: the cluster version is migrating, or every node is ahead of it.
    """

    moving: tuple[JobRow, ...]
    stuck: tuple[JobRow, ...]
    failed: tuple[JobRow, ...]

    @classmethod
    def of(cls, cluster: Cluster) -> MigrationJobs:
        """Read them from the picture.

        Raises:
            NotCollected: the jobs, the cluster version or the nodes could not be seen.
        """
        jobs = active_jobs_of(cluster, _TYPES)
        moving = tuple(j for j in jobs if j.status in _MOVING and not is_stuck(j, cluster.now))
        return cls(
            moving=moving,
            stuck=tuple(job for job in jobs if job not in moving),
            failed=_failed(cluster) if _upgrade_is_open(cluster) and not moving else (),
        )

    @property
    def stand_still(self) -> bool:
        """True if none runs, and waiting will not make one run."""
        return not self.moving and bool(self.stuck or self.failed)


def _upgrade_is_open(cluster: Cluster) -> bool:
    """True if a finalization may have been tried and not ended."""
    version = cluster.version
    return version.migrating or all(
        n.build is None or n.build.series > version.series for n in cluster.members
    )


def _failed(cluster: Cluster) -> tuple[JobRow, ...]:
    history = [job for job in cluster.job_history if is_one_of(job, _TYPES)]
    good: list[dt.datetime] = [j.created for j in history if j.status == "succeeded" and j.created]
    good += [row.completed_at for row in completed_migrations(cluster) if row.completed_at]
    last_good = max(good, default=None)
    return tuple(
        job
        for job in history
        if ended_badly(job) and (last_good is None or job.created is None or job.created > last_good)
    )
