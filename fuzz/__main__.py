"""Look for inputs that break kmosaic, for so many seconds, and say how to repeat what was found."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz import agreement, files, fits, native
from fuzz.problems import Problem, problem

PARTS = ("fits", "agreement", "files", "native")
_FILES_AT_A_TIME = 400
_SHRINK_SECONDS = 60


@dataclass
class Search:
    """How long to look, from which seed, for how many cases a part; and what was found."""

    seed: int
    cases: int | None
    failures: list[str] = field(default_factory=list)

    def until(self, seconds: float) -> Callable[[int], bool]:
        """Whether a part with so many cases done is to go on."""
        end = time.monotonic() + seconds
        return lambda done: done < self.cases if self.cases is not None else time.monotonic() < end

    def fail(self, part: str, seed: int, what: str) -> None:
        """Print a failure, and how to repeat it."""
        self.failures.append(part)
        print(f"\n{what}\n{part} failed; again: make fuzz FUZZ='--only {part} --seed {seed} --cases 1'\n")


def search_problems(search: Search, part: str, seconds: float) -> int:
    """Check one problem after the other; stop at the first that fails, with a small one like it."""
    run, check = (fits.run, fits.check) if part == "fits" else (agreement.run, agreement.check)
    go_on = search.until(seconds)
    done = 0
    while go_on(done):
        seed = search.seed + done
        done += 1
        try:
            run(seed)
        except Exception:
            found = shrunk(problem(seed, large=part == "agreement"), check)
            shown = str(found) if found.rows.size < 2000 else f"{found.kind}, {found.rows.shape}"
            search.fail(part, seed, f"{shown}\n{_traceback(found, check)}")
            break
    return done


def shrunk(p: Problem, check: Callable[[Problem], None]) -> Problem:
    """The smallest problem found, in a minute, that still fails."""
    end = time.monotonic() + _SHRINK_SECONDS
    smaller = True
    while smaller and time.monotonic() < end:
        smaller = False
        for candidate in fits.smaller(p):
            if _fails(candidate, check):
                p, smaller = candidate, True
                break
            if time.monotonic() > end:
                break
    return p


def _fails(p: Problem, check: Callable[[Problem], None]) -> bool:
    try:
        check(p)
    except AssertionError:
        return True
    except Exception:
        return False
    return False


def _traceback(p: Problem, check: Callable[[Problem], None]) -> str:
    try:
        check(p)
    except Exception:
        return traceback.format_exc(limit=-3)
    return "it does not fail again"


def search_files(search: Search, seconds: float) -> int:
    """Damage one file after the other."""
    go_on = search.until(seconds)
    done = 0
    while go_on(done):
        count = _FILES_AT_A_TIME if search.cases is None else min(search.cases - done, _FILES_AT_A_TIME)
        with tempfile.TemporaryDirectory() as folder:
            failure = files.failure(search.seed + done, count, Path(folder))
            done += count
            if failure is None:
                continue
            seed, how = failure
            n_edits, how = files.shortest(seed, Path(folder)) or (None, how)
        kind, name, data = files.case(seed, files.kinds(), n_edits)
        shown = data.hex() if len(data) < 2000 else f"{len(data)} bytes"
        search.fail("files", seed, f"{kind}: {name}, {n_edits or 'several'} edits: {shown}\n{how}")
        break
    return done


def search_native(search: Search, seconds: float) -> int:
    """Run every libFuzzer target for its share of the time; building them does not count."""
    why = native.missing()
    if why:
        print(f"native: left out, {why}")
        return 0
    native.build()
    for target in native.TARGETS:
        found = native.failure(target, search.seed, int(seconds / len(native.TARGETS)))
        if found:
            search.fail("native", search.seed, f"{target}:\n{found}")
    return len(native.TARGETS)


def main(arguments: list[str] | None = None) -> int:
    """Return 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long to look, building not counted")
    parser.add_argument("--seed", type=int, help="the first seed; without it, another one each time")
    parser.add_argument("--cases", type=int, help="so many cases of each part, however long they take")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part; may be given again")
    given = parser.parse_args(arguments)
    seed = int.from_bytes(os.urandom(3), "big") if given.seed is None else given.seed
    search = Search(seed, given.cases)
    parts = given.only or PARTS
    print(f"seed {seed}, {given.seconds:g} s", flush=True)
    for part in parts:
        seconds = given.seconds / len(parts)
        if part == "native":
            done = search_native(search, seconds)
        elif part == "files":
            done = search_files(search, seconds)
        else:
            done = search_problems(search, part, seconds)
        print(f"{part}: {done} {'targets' if part == 'native' else 'cases'}", flush=True)
    return 1 if search.failures else 0


if __name__ == "__main__":
    sys.exit(main())
