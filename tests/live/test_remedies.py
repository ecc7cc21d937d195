"""Whatever guard prints to be pasted can be pasted."""

from __future__ import annotations

import re
import shlex
import subprocess

import psycopg

from tests.live.cluster import FAR, Cluster, Report, guard, until

SQL = re.compile(r"\b((?:SET|RESET|SHOW|PAUSE|RESUME|CANCEL|GRANT|ALTER|SELECT|DROP)\b[^;]*;)")
SHELL = re.compile(r"(?:^|: )((?:cockroach|guard) [a-z][^;]*?)(?=$| \(|, then)")


def reports(cluster: Cluster) -> list[Report]:
    """What guard says at many points of an upgrade, with as much wrong as possible."""
    seen: list[Report] = []

    def look(target: str = "v21.2.0", user: str = "root") -> None:
        seen.extend(
            cluster.guard("--target", target, "--step", step, "--window", "70000h", user=user)
            for step in ("start", "next-node", "finalize", "rollback", "verify")
        )

    cluster.make_table()
    cluster.sql("CREATE USER IF NOT EXISTS somebody")
    look(user="somebody")
    cluster.sql(
        "CREATE SCHEDULE far FOR BACKUP DATABASE shop INTO 'nodelocal://1/far' RECURRING '@yearly'"
        f" FULL BACKUP ALWAYS WITH SCHEDULE OPTIONS first_run = '{FAR}'"
    )
    with cluster.held_backup(node=3, name="remedies") as backup:
        look()
        look("v21.2.1")
        cluster.sql(f"PAUSE JOB {backup.job_id}")
        until(lambda: backup.status == "paused", "paused")
        look()
        cluster.sql("RESET CLUSTER SETTING cluster.preserve_downgrade_option")
        look()
        cluster.sql("SET CLUSTER SETTING cluster.preserve_downgrade_option = '21.1'")
        cluster.sql(f"RESUME JOB {backup.job_id}")
        backup.end()
    done = cluster.cli("node", "decommission", "3", "--wait=none")
    assert done.returncode == 0, done.stderr
    look()
    done = cluster.cli("node", "recommission", "3")
    assert done.returncode == 0, done.stderr
    return seen


def test_every_remedy_can_be_pasted(mixed: Cluster) -> None:
    lines = {line for report in reports(mixed) for line in report.remedies()}
    statements = {found for line in lines for found in SQL.findall(line)}
    commands = {found for line in lines for found in SHELL.findall(line)}
    verbs = {statement.split()[0] for statement in statements}
    assert {"GRANT", "PAUSE", "RESUME", "CANCEL", "RESET", "SET", "SHOW"} <= verbs
    assert any(command.startswith("cockroach node decommission") for command in commands)

    for statement in sorted(statements):
        formatted = subprocess.run(
            [str(mixed.nodes[1].binary), "sqlfmt", "-e", statement],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert formatted.returncode == 0, f"{statement}\n{formatted.stderr}"
        if statement.startswith("SHOW"):  # harmless, so it is run
            try:
                mixed.sql(statement)
            except psycopg.Error as error:
                raise AssertionError(statement) from error
    for command in sorted(commands):
        program, *arguments = shlex.split(command)
        if program == "guard":
            # The option and its value exist: anything but a usage error.
            assert "--url" in arguments or guard(*arguments, "--help").code == 0, command
            continue
        words = [word for word in arguments if not word.isdigit()]
        helped = subprocess.run(
            [str(mixed.nodes[1].binary), *words, "--help"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert helped.returncode == 0, command
        assert f"cockroach {' '.join(w for w in words if not w.startswith('-'))}" in helped.stdout
