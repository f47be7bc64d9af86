"""Install this machine's wheels as a user does, without a compiler, and do what a user does first."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wheels.build import ROOT, find_python
from wheels.check import Wheel
from wheels.targets import TARGETS

_FIT = """
from pathlib import Path
import numpy as np
from sklearn.cluster import KMeans as Other
from sklearn.datasets import load_digits
from kmosaic import KMeans, show_config
X = load_digits().data
start = X[:20]
ours = KMeans(20, init=start, n_init=1).fit(X.astype(np.uint8))
other = Other(20, init=start, n_init=1, tol=0).fit(X)
assert np.mean(ours.labels_ == other.labels_) > 0.99, (ours.inertia_, other.inertia_)
isa = show_config().instruction_set
print(isa)
flags = Path("/proc/cpuinfo").read_text()
assert ("avx512vnni" if "avx512_vnni" in flags else "avx2" if "avx2" in flags else isa) in isa, isa
"""
_WEIGHT = """
import importlib.metadata as metadata
files = [d.locate_file(f) for d in metadata.distributions() if d.name != "pip" for f in d.files or ()]
print(f"{sum(f.stat().st_size for f in files if f.exists()) / 1e6:.0f}")
"""


class Environment:
    """A new virtual environment, with nothing else on the path."""

    def __init__(self, folder: Path, version: str) -> None:
        subprocess.run([find_python(version), "-m", "venv", folder], check=True)
        self.folder = folder
        self.bin = folder / "bin"
        kept = ("HOME", "TMPDIR", "LANG", "PIP_", "SSL_", "XDG_")
        self.environment = {k: v for k, v in os.environ.items() if k.startswith(kept)}
        self.environment["PATH"] = str(self.bin)
        for compiler in ("cc", "gcc", "g++", "clang", "cmake", "ninja"):
            assert shutil.which(compiler, path=self.environment["PATH"]) is None

    def run(self, *command: str | Path, fails: bool = False) -> tuple[str, str]:
        """Run a command in the environment's folder; return what it printed, and how long it took."""
        start, start_cpu = time.perf_counter(), _cpu_seconds()
        done = subprocess.run(
            [str(self.bin / command[0]), *map(str, command[1:])],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        took = f"{time.perf_counter() - start:.0f} s ({_cpu_seconds() - start_cpu:.0f} s of processors)"
        if (done.returncode != 0) is not fails:
            raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr, took


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def try_wheel(wheel: Wheel, version: str, folder: Path) -> None:
    """Install a wheel, make a report, say what is missing for pictures, then run the commands of the demo."""
    new = Environment(folder, version)
    _, installing = new.run("python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", wheel.path)
    report = ("kmosaic", "fit", "digits", "--clusters", "36", "-o", "m.kmosaic", "--report", "m.html")
    _, reporting = new.run(*report)
    isa, _ = new.run("python", "-c", _FIT)
    megabytes, _ = new.run("python", "-c", _WEIGHT)
    print(
        f"{wheel.path.name} on {version}: installed in {installing}, a report of digits in "
        f"{reporting}; {megabytes.split()[0]} MB in all; {isa.split()[0]}",
        flush=True,
    )
    message, _ = new.run("kmosaic", "show", "m.kmosaic", "-o", "m.png", fails=True)
    assert "kmosaic[pictures]" in message, message
    assert "Traceback" not in message, message
    new.run("python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:", f"{wheel.path}[pictures]")
    # The environment has what the demo needs: make is not to install anything.
    for stamp in ("venv", "installed"):
        (folder / "stamps").mkdir(exist_ok=True)
        (folder / "stamps" / stamp).touch()
    demo = folder / "demo"
    make = ["make", "--silent", f"--old-file={folder}/stamps/installed", f"VENV={folder}", f"DEMO={demo}"]
    subprocess.run([*make, "demo"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    print(f"{len(list(demo.rglob('*.*')))} files of the demo", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m wheels.first_minute", description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    native = TARGETS[f"linux-{os.uname().machine}"]
    wheels = [Wheel.named(path.absolute()) for path in parser.parse_args().wheels]
    if not any(wheel.target is native for wheel in wheels):
        raise SystemExit(f"none of the wheels is for {native.name}")
    for wheel in wheels:
        if wheel.target is native:
            with tempfile.TemporaryDirectory() as folder:
                try_wheel(wheel, f"3.{wheel.python.removeprefix('cp3')}", Path(folder) / "new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
