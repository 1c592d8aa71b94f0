"""`python -m benchmarks [NAME ...]`: print every figure, and leave with 1 if a bar is missed."""

import argparse
import platform
import sys
from collections.abc import Callable, Iterator, Mapping

from benchmarks import bytes_up, link, passthrough
from benchmarks.figure import Figure

BENCHMARKS: Mapping[str, Callable[[], Iterator[Figure]]] = {
    "passthrough": passthrough.figures,
    "bytes-up": bytes_up.figures,
    "link": link.figures,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="all if none is given")
    names = parser.parse_args().names or list(BENCHMARKS)
    print(f"{platform.node()}: {platform.platform()}, Python {platform.python_version()}")
    missed = 0
    for name in names:
        for figure in BENCHMARKS[name]():
            print(f"[{name}] {figure}", flush=True)
            missed += not figure.holds
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
