"""What the catalog costs a check: a benchmark, not a test. Run it as a script.

Each number is the median of fresh processes: msgspec and the standard modules that guard needs in
any case, then on top of them importing guard.catalog, loading it, and asking it one check's
questions. The aim is under 30 ms for the last three together.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

RUNS = 15
PROBE = """
import json, time
t = [time.perf_counter()]
import dataclasses, enum, pathlib, re, msgspec, guard.versions
t.append(time.perf_counter())
import guard.catalog
t.append(time.perf_counter())
catalog = guard.catalog.load()
t.append(time.perf_counter())
catalog.advisories_affecting("v21.2.0")
catalog.release("v21.2.0")
catalog.upgrade_allowed("21.1", "21.2")
catalog.restore_allowed("21.1", "21.2")
t.append(time.perf_counter())
print(json.dumps([1000 * (b - a) for a, b in zip(t, t[1:])]))
"""


def main() -> None:
    """Print the medians in milliseconds."""
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", PROBE], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(RUNS)
    ]
    names = ("needed in any case", "import guard.catalog", "load", "one check's questions")
    medians = [statistics.median(column) for column in zip(*runs, strict=True)]
    for name, value in zip(names, medians, strict=True):
        sys.stdout.write(f"{name:<24}{value:8.1f} ms\n")
    sys.stdout.write(f"{'the catalog in total':<24}{sum(medians[1:]):8.1f} ms (aim: under 30)\n")


if __name__ == "__main__":
    main()
