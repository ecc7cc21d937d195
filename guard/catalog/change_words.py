"""A change record's probes in words, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from guard.catalog.change_records import (
    ActiveJobProbe,
    FeatureProbe,
    InterleavedProbe,
    LicenseProbe,
    SetSettingProbe,
    SixFieldCronProbe,
    UnsetSettingProbe,
)

if TYPE_CHECKING:
    from guard.catalog.change_records import Probe

__all__ = ["probe_text"]


def probe_text(probe: Probe) -> str:
    """Say when a probe answers yes."""
    match probe:
        case SetSettingProbe(names=names, equals=equals):
            to = f" to {' or '.join(equals)}" if equals else ""
            return f"somebody has set {' or '.join(names)}{to}"
        case UnsetSettingProbe(names=names):
            return f"nobody has set {' or '.join(names)}"
        case FeatureProbe(section=section, feature=feature):
            return f"{section} holds {feature}"
        case ActiveJobProbe(types=types):
            return f"there is an unfinished {' or '.join(types)} job"
        case SixFieldCronProbe():
            return "a BACKUP schedule recurs by a cron expression of more than five fields"
        case LicenseProbe():
            return "no license is installed"
        case InterleavedProbe():
            return "a table is interleaved or has an interleaved index"
    assert_never(probe)
