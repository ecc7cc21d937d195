"""Files that a command writes: an impossible path is found before the look at the cluster."""

from __future__ import annotations

import os
from pathlib import Path

from guard.cli.options import usage

__all__ = ["refuse_impossible"]


def refuse_impossible(path: Path) -> None:
    """End with a usage error if the path can never be written.

    Raises:
        typer.BadParameter: it is a directory, its directory does not exist, or may not be written to.
    """
    try:
        if path.is_dir():
            usage(f"-o {path}: it is a directory")
        if path.exists():
            if not os.access(path, os.W_OK):
                usage(f"-o {path}: it may not be written")
        elif not path.parent.is_dir():
            usage(f"-o {path}: its directory does not exist")
        elif not os.access(path.parent, os.W_OK):
            usage(f"-o {path}: its directory may not be written to")
    except (OSError, ValueError) as error:
        usage(f"-o {path}: {getattr(error, 'strerror', None) or error}")
