"""Run the benchmarks and keep what they print in docs/figures.md, each with its command, the day and the machine.

    uv run --group bench bench/figures.py                       # all, about half an hour
    uv run --group bench bench/figures.py ranking planning      # those alone; the page keeps what it has of the others

A section whose benchmark fails stays as it was.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "figures.md"
RUNS = (
    "ranking.py",
    "ranking.py --identical",
    "ranking.py --one-township",
    "batch.py",
    "updates.py",
    "allocation.py",
    "allocation.py --check",
    "allocation.py --large",
    "planning.py",
    "duty_planning.py",
    "appointments.py",
    "resolving.py",
    "walks.py",
    "learning.py",
)
ONE_CORE = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR")}


def processor() -> str:
    """What the machine calls its processor."""
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1].strip() if found else platform.machine()


def section_of(run: str) -> str:
    """The section of one benchmark, after running it; raises CalledProcessError where it fails."""
    command = [sys.executable, *f"bench/{run}".split()]
    done = subprocess.run(  # noqa: S603  # a list of our own
        command,
        cwd=ROOT,
        env={**os.environ, **ONE_CORE},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    machine = f"{len(os.sched_getaffinity(0))} cores, {processor()}, Python {platform.python_version()}"
    where = f"{datetime.now(UTC):%Y-%m-%d}, {machine}"
    printed = "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())
    return f"## bench/{run}\n\n`uv run --group bench bench/{run}` · {where}\n\n```text\n{printed}\n```\n"


def keep(run: str, section: str) -> None:
    """Put a section in its place on the page."""
    before, *parts = re.split(r"^(?=## bench/)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = {part.split("\n", 1)[0].removeprefix("## bench/"): part.strip() + "\n" for part in parts}
    sections[run] = section
    ordered = [sections[each] for each in RUNS if each in sections]
    PAGE.write_text("\n".join([before.rstrip() + "\n", *ordered]), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="benchmarks, without .py; all where none is named")
    asked = parser.parse_args().names
    failed = []
    for each in RUNS:
        if asked and each.split(".", 1)[0] not in asked:
            continue
        print(f"bench/{each}", flush=True)
        try:
            keep(each, section_of(each))
        except subprocess.CalledProcessError:
            failed.append(each)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
