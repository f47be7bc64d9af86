"""``python -m kmosaic.accelerate script.py [arguments]``, or ``-m module``: with scikit-learn patched."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from kmosaic.accelerate import patch_sklearn

_USAGE = "usage: python -m kmosaic.accelerate SCRIPT.py [ARGUMENTS], or -m MODULE [ARGUMENTS]"


def run(arguments: list[str]) -> None:
    """Run a script, or a module after ``-m``, as Python itself would, with scikit-learn's k-means ours."""
    as_module = arguments[:1] == ["-m"]
    target = arguments[1:2] if as_module else arguments[:1]
    if not target or (not as_module and target[0].startswith("-")):
        sys.exit(_USAGE)
    if not as_module and not Path(target[0]).exists():
        sys.exit(f"kmosaic.accelerate: there is no {target[0]!r}; {_USAGE}")
    patch_sklearn()
    sys.argv = arguments[1:] if as_module else arguments
    if as_module:
        sys.path[0] = ""
        runpy.run_module(target[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = str(Path(target[0]).resolve().parent)
        runpy.run_path(target[0], run_name="__main__")


if __name__ == "__main__":
    run(sys.argv[1:])
