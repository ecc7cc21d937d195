"""CockroachDB versions: release series, build tags and cluster versions.

Three different things are called "version" in CockroachDB, and mixing them up is how gates fail:

* a `Series` is a release series such as ``21.2`` (major version in the release notes);
* a `Build` is what a binary calls itself, the build tag ``v21.2.0-rc.1``;
* a `ClusterVersion` is the state of the cluster-wide upgrade, ``21.1``, ``21.1-14`` or
  ``23.2-upgrading-to-24.1-step-008``.

CockroachDB versions are not semantic versions: a custom build ``v21.2.0-5-gabc`` sorts *after*
``v21.2.0``. The order here is the one of Cockroach Labs' own module, github.com/cockroachdb/version.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final

import msgspec

__all__ = ["Build", "ClusterVersion", "Phase", "Series", "VersionError"]


class VersionError(ValueError):
    """A text is not a version of the kind that was asked for."""


_SERIES: Final = r"v?(\d{1,4})\.(\d{1,4})"  # compiled when first needed, as all patterns here


class Series(msgspec.Struct, frozen=True, order=True):
    """A release series, for example 21.2. Ordered by year, then by number within the year."""

    year: int
    ordinal: int

    @classmethod
    def parse(cls, text: str) -> Series:
        """Read ``21.2`` or ``v21.2``, and nothing longer.

        Raises:
            VersionError: the text is anything else, ``21.2.0`` and ``21.2-14`` included.
        """
        match = re.fullmatch(_SERIES, text, re.ASCII)
        if match is None:
            raise VersionError(f"not a release series such as v21.2: {text!r}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year}.{self.ordinal}"


class Phase(IntEnum):
    """Release phase of a build, in the order of github.com/cockroachdb/version."""

    ALPHA = 1
    BETA = 2
    RC = 3
    CLOUDONLY = 4
    STABLE = 5
    ADHOC = 6


_XYZ = r"v(?P<year>[1-9]\d{0,3})\.(?P<ordinal>[1-9]\d{0,3})\.(?P<patch>0|[1-9]\d{0,5})"
_N = r"(?:0|[1-9]\d{0,8})"
_FIPS = r"(?P<fips>-fips)?"
_PATTERNS: Final = (
    rf"{_XYZ}{_FIPS}",
    rf"{_XYZ}-(?P<phase>alpha|beta|rc|cloudonly)\.(?P<phase_ordinal>\d{{1,9}}){_FIPS}",
    rf"{_XYZ}-(?P<custom>{_N})-g[a-f0-9]+{_FIPS}",
    rf"{_XYZ}-(?P<phase>alpha|beta|rc|cloudonly)\.(?P<phase_ordinal>\d{{1,9}})"
    rf"-(?P<custom>{_N})-g[a-f0-9]+{_FIPS}",
    rf"{_XYZ}-(?P<phase>alpha|beta|rc|cloudonly)\.(?P<phase_ordinal>\d{{1,9}})"
    rf"-cloudonly(?:-rc|\.)(?P<sub>{_N})",
    rf"{_XYZ}-(?P<phase>cloudonly)-rc(?P<phase_ordinal>\d{{1,9}})",
    rf"{_XYZ}-(?P<phase>cloudonly)(?P<phase_ordinal>\d{{1,9}})?",
    rf"{_XYZ}-(?P<adhoc>[-a-zA-Z0-9.+]+)",
    r"sha256:(?P<adhoc>[^:\s]+):latest-v(?P<year>[1-9]\d{0,3})\.(?P<ordinal>[1-9]\d{0,3})-build",
)


class Build(msgspec.Struct, frozen=True):
    """A build tag as a binary reports it (``v21.2.0``), ordered as Cockroach Labs orders them.

    Two builds are equal when they are the same release; a ``-fips`` build is the same release as
    the plain one.
    """

    year: int
    ordinal: int
    patch: int
    phase: Phase = Phase.STABLE
    phase_ordinal: int = 0
    phase_sub_ordinal: int = 0
    custom_ordinal: int = 0
    adhoc_label: str = ""
    tag: str = ""  # takes no part in comparisons

    @classmethod
    def parse(cls, tag: str) -> Build:
        """Read a build tag with its leading ``v``.

        Raises:
            VersionError: the text is no build tag; ``unknown``, which unstamped builds report, and
                the empty string are among those.
        """
        for pattern in _PATTERNS:  # compiled when first needed: nearly every tag fits the first
            match = re.fullmatch(pattern, tag, re.ASCII)
            if match is None:
                continue
            got = match.groupdict()
            phase = Phase.STABLE
            if got.get("adhoc"):
                phase = Phase.ADHOC
            elif got.get("phase"):
                phase = Phase[got["phase"].upper()]
            return cls(
                year=int(got["year"]),
                ordinal=int(got["ordinal"]),
                patch=int(got.get("patch") or 0),
                phase=phase,
                phase_ordinal=int(got.get("phase_ordinal") or 0),
                phase_sub_ordinal=int(got.get("sub") or 0),
                custom_ordinal=int(got.get("custom") or 0),
                adhoc_label=got.get("adhoc") or "",
                tag=tag,
            )
        raise VersionError(f"not a CockroachDB build such as v21.2.0: {tag!r}")

    @property
    def series(self) -> Series:
        """The release series the build belongs to."""
        return Series(self.year, self.ordinal)

    @property
    def release(self) -> Build:
        """The plain release that a custom or ad-hoc build is called by: v22.2.19 of v22.2.19-dirty."""
        phase = Phase.STABLE if self.phase is Phase.ADHOC else self.phase
        return Build(self.year, self.ordinal, self.patch, phase, self.phase_ordinal)

    def goes_by(self, name: Build) -> bool:
        """True if people mean this build by that name: it is the very one, or a custom one of it.

        ``v22.2.19-dirty`` goes by v22.2.19, as its nodes do; v22.2.19 does not go by
        ``v22.2.19-dirty``, for who names a custom build wants what is in it.
        """
        custom = self.is_custom and not self.tag.startswith("sha256:")  # which patch, nobody knows
        return self == name or (name.is_production and custom and self.release == name)

    @property
    def is_production(self) -> bool:
        """True for a plain published release, ``vX.Y.Z`` or its ``-fips`` twin."""
        return self.phase is Phase.STABLE and self.custom_ordinal == 0

    @property
    def is_prerelease(self) -> bool:
        """True for alpha, beta and release candidate builds, custom ones on top included."""
        return self.phase < Phase.CLOUDONLY

    @property
    def is_custom(self) -> bool:
        """True for anything Cockroach Labs did not publish under this very tag."""
        return self.custom_ordinal > 0 or self.phase is Phase.ADHOC

    @property
    def _key(self) -> tuple[int, int, int, int, int, int, int, str]:
        return (
            self.year,
            self.ordinal,
            self.patch,
            self.phase,
            self.phase_ordinal,
            self.phase_sub_ordinal,
            self.custom_ordinal,
            self.adhoc_label,
        )

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Build) else NotImplemented

    def __lt__(self, other: Build) -> bool:
        return self._key < other._key if isinstance(other, Build) else NotImplemented

    def __le__(self, other: Build) -> bool:
        return self._key <= other._key if isinstance(other, Build) else NotImplemented

    def __gt__(self, other: Build) -> bool:
        return self._key > other._key if isinstance(other, Build) else NotImplemented

    def __ge__(self, other: Build) -> bool:
        return self._key >= other._key if isinstance(other, Build) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        if self.tag:
            return self.tag
        suffix = ""
        if self.phase < Phase.STABLE:
            suffix = f"-{self.phase.name.lower()}.{self.phase_ordinal}"
        return f"v{self.year}.{self.ordinal}.{self.patch}{suffix}"


_CLUSTER_VERSION: Final = (
    r"(?P<major>\d{1,9})\.(?P<minor>\d{1,4})"
    r"(?:(?P<final_step>-upgrading-final-step)"
    r"|(?:-|-upgrading(?:-to-(?P<to_major>\d{1,9})\.(?P<to_minor>\d{1,4}))?-step-)"
    r"(?P<internal>-?\d{1,9}))?"
)

# Development builds shift the year by a million so that they can never be upgraded to a release.
_DEVELOPMENT_OFFSET: Final = 1_000_000


class ClusterVersion(msgspec.Struct, frozen=True):
    """The cluster version as ``version`` in the cluster settings shows it.

    Grammar: pkg/roachpb/version.go of the server. Only ``X.Y`` is final. ``24.1-upgrading-final-step``
    begins with 24.1 and is not final; neither is ``22.1--1``, the same fence as 21.x to 23.x print it.

    Attributes:
        series: the series in front, which is the one still active, except for the two last-fence
            forms, where it is the one being reached.
        internal: the migration step, or None when final or unnumbered.
        target: the series being migrated to, where the text says so.
        is_final: True if no upgrade of the cluster version is under way.
        is_development: True for the shifted versions of development builds.
    """

    text: str
    series: Series
    internal: int | None
    target: Series | None
    is_final: bool
    is_development: bool

    @classmethod
    def parse(cls, text: str) -> ClusterVersion:
        """Read the value of the ``version`` setting.

        Raises:
            VersionError: the text follows none of the forms that any CockroachDB prints.
        """
        match = re.fullmatch(_CLUSTER_VERSION, text, re.ASCII)
        if match is None:
            raise VersionError(f"not a cluster version: {text!r}")
        major = int(match["major"])
        development = major >= _DEVELOPMENT_OFFSET
        series = Series(major % _DEVELOPMENT_OFFSET, int(match["minor"]))
        internal = int(match["internal"]) if match["internal"] is not None else None
        target = None
        if match["to_major"] is not None:
            target = Series(int(match["to_major"]) % _DEVELOPMENT_OFFSET, int(match["to_minor"]))
        elif match["final_step"] is not None or (internal is not None and internal < 0):
            target = series
        final = internal is None and match["final_step"] is None
        return cls(text, series, internal, target, final and not development, development)

    @property
    def is_migrating(self) -> bool:
        """True while the cluster version is between two final ones (or a pre-release is running)."""
        return not self.is_final

    def __str__(self) -> str:
        return self.text
