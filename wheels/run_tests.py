"""Compile the C++ tests with zig for another system, and run them in emulation."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from wheels.build import BUILD, PYTHONS, ROOT, core_of, prepare, toolchain_defines
from wheels.targets import TARGETS, Target

_WINE = ("wine64", "/usr/lib/wine/wine64", "wine")
_ARM_LIBRARIES = "/usr/aarch64-linux-gnu"


def emulator(target: Target) -> list[str]:
    """The command before a program of ``target``, if any; SystemExit where it is not installed."""
    if target.name == "linux-aarch64":
        if (qemu := shutil.which("qemu-aarch64")) and Path(_ARM_LIBRARIES, "lib").is_dir():
            return [qemu, "-L", _ARM_LIBRARIES]
        raise SystemExit("this needs qemu-aarch64 and glibc for Arm; on Debian: qemu-user, libc6-arm64-cross")
    if target.system == "Windows":
        if wine := next(filter(shutil.which, _WINE), None):
            return [wine]
        raise SystemExit("this needs wine; on Debian: apt install wine64")
    if target.system == "Linux":
        return []
    raise SystemExit(f"nothing here runs programs of {target.name}")


def run(target: Target, only: str) -> None:
    """Compile and run; raise CalledProcessError where a test fails."""
    folder = BUILD / f"tests-{target.name}"
    defines = toolchain_defines(target) | {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CROSSCOMPILING_EMULATOR": ";".join(emulator(target)),
        "KMOSAIC_WARNINGS_AS_ERRORS": "OFF",
        "KMOSAIC_CORE": str(core_of(target, map(prepare, PYTHONS)) or ""),
    }
    configure = ["cmake", "-G", "Ninja", "-S", str(ROOT / "cpp" / "tests"), "-B", str(folder)]
    subprocess.run([*configure, *(f"-D{name}={value}" for name, value in defines.items())], check=True)
    subprocess.run(["cmake", "--build", folder, *_targets(only)], check=True)
    # This machine's nm cannot read the objects of another.
    chosen = ["-R", only] if only else ["-E", "^linkage$"]
    subprocess.run(
        ["ctest", "--test-dir", folder, "--output-on-failure", "--no-tests=error", *chosen], check=True
    )


def _targets(only: str) -> Sequence[str]:
    return ["--target", *(f"test_{name}" for name in only.strip("^$()").split("|"))] if only else []


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m wheels.run_tests", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", choices=TARGETS)
    parser.add_argument("--only", default="", metavar="NAME|NAME", help="compile and run these tests alone")
    arguments = parser.parse_args()
    for name in arguments.targets:
        print(f"C++ tests for {name}", flush=True)
        run(TARGETS[name], f"^({arguments.only})$" if arguments.only else "")


if __name__ == "__main__":
    main()
