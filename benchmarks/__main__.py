"""kmosaic beside other libraries: ``python -m benchmarks --quick``.

Prints a Markdown table. --json keeps every single run as soon as it is made, and --resume goes on from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.data import DataOptions
from benchmarks.environment import environment
from benchmarks.schedule import Options, Run, Schedule
from benchmarks.table import report
from benchmarks.workloads import TARGETS, WORKLOADS, Workload
from kmosaic.files import atomic_write

# Enough for every code path, and for two minutes on two cores.
QUICK_SCALE = 0.04


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for and print the table; return the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["--one"]:
        from benchmarks.measure import run

        run()
        return 0
    options = _parser().parse_args(given)
    workloads = _selected(options)
    if options.list:
        _print_list(workloads)
        return 0
    scale = options.scale or (QUICK_SCALE if options.quick else 1.0)
    kept = _Kept(options.resume or options.json, scale, environment())
    data = DataOptions(options.data_dir, scale, stand_ins=options.quick)
    rounds = 1 if options.quick else options.rounds
    earlier = kept.earlier(options.resume) if options.resume else []
    schedule = Schedule(Options(data, rounds, options.limit, kept.write, earlier))
    interrupted = False
    try:
        schedule.run(workloads)
    except KeyboardInterrupt:
        interrupted = True
        print("Interrupted: this is what was measured so far.", file=sys.stderr)
    print(report(schedule.runs, kept.facts, scale), end="")
    if options.plots:
        from benchmarks.plots import write_plots

        for path in write_plots(schedule.runs, options.plots):
            print(path, file=sys.stderr)
    return 130 if interrupted else 0


class _Kept:
    """The JSON file with what the runs were made on, and every run."""

    def __init__(self, path: Path | None, scale: float, facts: dict[str, Any]) -> None:
        self.path, self.scale, self.facts = path, scale, facts

    def write(self, runs: list[Run]) -> None:
        if self.path:
            page = {"environment": self.facts, "scale": self.scale, "runs": [asdict(run) for run in runs]}
            with atomic_write(self.path, overwrite=True) as temporary:
                temporary.write_text(json.dumps(page, indent=1))

    def earlier(self, path: Path) -> list[Run]:
        page = json.loads(path.read_text())
        for name in ("processor", "threads", "versions", "instruction_set"):
            if page["environment"][name] != self.facts[name]:
                raise SystemExit(
                    f"{path} was measured with {name} {page['environment'][name]}, and this is "
                    f"{self.facts[name]}; start anew with --json"
                )
        if page["scale"] != self.scale:
            raise SystemExit(f"{path} was measured at --scale {page['scale']:g}; give the same one")
        self.facts = page["environment"]
        return [Run.from_json(run) for run in page["runs"]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", metavar="NAME", help="these workloads; * stands for any characters")
    add("--rounds", type=int, default=3, help="runs a library makes of each workload (3)")
    add("--quick", action="store_true", help="smaller data, fewer workloads, one round: two minutes")
    add("--scale", type=float, metavar="FRACTION", help="take this part of every workload's rows")
    add("--limit", type=float, default=300, metavar="SECONDS", help="stop a run after this long (300)")
    add("--json", type=Path, metavar="FILE", help="keep every single run here")
    add("--resume", type=Path, metavar="FILE", help="go on from such a file, and keep runs there")
    add("--plots", type=Path, metavar="DIR", help="draw the pictures into this folder")
    add("--data-dir", type=Path, metavar="DIR", help="the folder that holds mnist/, kodak/, landsat7-nc/")
    add("--list", action="store_true", help="name the workloads and their targets, and run none")
    return parser


def _selected(options: argparse.Namespace) -> list[Workload]:
    patterns = options.only or ["*"]
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in WORKLOADS):
            raise SystemExit(f"--only {pattern}: no such workload; --list names them")
    chosen = [
        workload
        for name, workload in WORKLOADS.items()
        if any(fnmatch(name, pattern) for pattern in patterns)
    ]
    return [workload for workload in chosen if workload.quick or options.only or not options.quick]


def _print_list(workloads: Sequence[Workload]) -> None:
    for workload in workloads:
        bounds = ", ".join(
            f"{target.quantity} {target.bound:g}" for target in TARGETS if target.workload == workload.name
        )
        print(f"{workload.name:22} {workload.title}{f' [{bounds}]' if bounds else ''}")


if __name__ == "__main__":
    sys.exit(main())
