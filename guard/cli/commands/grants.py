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
    """Print the exact statements for a user that guard can log in as, and how the user logs in."""
    from guard.cli.process import emit
    from guard.report.plain import plain
    from guard.snapshot.privileges import grants as statements
    from guard.snapshot.privileges import quoted
    from guard.versions import Build, Series, VersionError

    if not user.strip():
        usage("--user is empty: a variable that is not set?")
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
        lines = [
            f"-- {text}: only members of the admin role see every node and every job.",
            "-- Such a user may WRITE, drop and grant like root. What stays read-only is guard: it",
            "-- sends a closed list of SELECT and SHOW statements in a read-only session. Keep the",
            "-- user's key as you keep root's, or take the role away afterwards:",
            f"--   {plain(_revoke(user))}",
            *lines,
        ]
    if build.series >= Series(26, 1):
        lines.append("-- guard sets allow_unsafe_internals for its own session; nothing to grant.")
    emit("\n".join([*lines, *map(plain, _login(user))]) + "\n")


def _revoke(user: str) -> str:
    from guard.snapshot.privileges import quoted

    return f"REVOKE admin FROM {quoted(user)};"


def _login(user: str) -> tuple[str, ...]:
    """How the user logs in to a secure cluster, as comments."""
    import shlex

    from guard.snapshot.privileges import quoted

    return (
        "-- On a secure cluster the user logs in by a certificate, in the directory for --certs-dir:",
        f"--   cockroach cert create-client {shlex.quote(user)} --certs-dir=CERTS --ca-key=CA.KEY",
        "-- or by a password, which guard reads from PGPASSFILE:",
        f"--   ALTER USER {quoted(user)} WITH PASSWORD '...';",
    )
