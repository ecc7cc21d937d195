"""``guard grants``: the least a user needs for guard to see everything."""

from __future__ import annotations

from typing import Annotated

import typer

from guard.cli.options import usage

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def grants(
    version: Annotated[str, typer.Option(metavar="vX.Y[.Z]", help="What the cluster runs.")],
    user: Annotated[str, typer.Option(help="The SQL user.")] = "guard",
) -> None:
    """Print the exact statements for a read-only user that guard can log in as."""
    from guard.cli.process import emit
    from guard.snapshot.privileges import grants as statements
    from guard.snapshot.privileges import quoted
    from guard.versions import Build, Series, VersionError

    text = version if version.startswith("v") else f"v{version}"
    try:
        series = Series.parse(text)
        build = Build(series.year, series.ordinal, 0)
    except VersionError:
        try:
            build = Build.parse(text)
        except VersionError:
            usage(f"--version {version!r} is neither a series (v23.2) nor a build (v23.2.4)")
    lines = [f"CREATE USER IF NOT EXISTS {quoted(user)};", *statements(build, user)]
    if lines[1].startswith("GRANT admin"):
        lines.insert(0, f"-- {text}: only members of the admin role see every node and every job.")
    if build.series >= Series(26, 1):
        lines.append("-- guard sets allow_unsafe_internals for its own session; nothing to grant.")
    emit("\n".join(lines) + "\n")
