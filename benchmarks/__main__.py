"""`python -m benchmarks [NAME ...]`: print every figure, and leave with 1 if a bar is missed."""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks import (
    bytes_up,
    cancel,
    faults,
    first_labels,
    first_run,
    first_seen,
    kserve,
    light_request,
    link,
    long,
    memory,
    passthrough,
    planes,
    schema,
    shares,
    stall,
    stitching,
)
from benchmarks.figure import Figure
from benchmarks.table import machine, write_table

BENCHMARKS: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "passthrough": passthrough.figures,
    "light-request": light_request.figures,
    "kserve": kserve.figures,
    "bytes-up": bytes_up.figures,
    "link": link.figures,
    "cancel": cancel.figures,
    "first-run": first_run.figures,
    "first-labels": first_labels.figures,
    "first-seen": first_seen.figures,
    "memory": memory.figures,
    "memory-100": memory.hundredfold,
    "planes": planes.figures,
    "schema": schema.figures,
    "schema-postgresql": schema.on_postgresql,
    "shares": shares.figures,
    "stitching": stitching.figures,
    "stall": stall.figures,
    "stall-beside": stall.computed,
    "faults": faults.figures,
    "power": faults.power,
    "long": long.figures,
}
BY_NAME = ("faults", "long", "memory-100", "power", "schema-postgresql")
"""Those that take longer than all others together."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    usual = [name for name in BENCHMARKS if name not in BY_NAME]
    help_ = f"all but {', '.join(BY_NAME)} if none is given"
    parser.add_argument("names", nargs="*", metavar="NAME", help=help_)
    parser.add_argument("--table", type=Path, help="write the figures into this page as well")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there are {', '.join(BENCHMARKS)}; not {', '.join(sorted(unknown))}")
    print(f"{machine()}, Python {platform.python_version()}")
    missed = 0
    for name in asked.names or usual:
        found = []
        for figure in BENCHMARKS[name]():
            print(f"[{name}] {figure}", flush=True)
            missed += not figure.holds
            found.append(figure)
        if asked.table is not None:
            write_table(asked.table, {name: found}, BY_NAME)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
