"""Build the wheels: ``python -m wheels.build --help``."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from wheels.targets import TARGETS, Target
from wheels.windows_imports import write_import_library

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "wheels"
PYTHONS = ("3.12", "3.11")
"""Wheels of 3.12 are for all later ones, too; 3.11 has its own."""
_TOOLS = ("scikit-build-core>=0.11", "nanobind>=2.4", "cmake>=3.26", "ninja", "wheel>=0.40")


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine, in a virtual environment with what builds wheels."""

    python: Path
    version: str
    include: Path

    @property
    def is_stable(self) -> bool:
        """Whether its wheels hold for later versions, too."""
        return self.version != "3.11"


def zig() -> Path:
    """The compiler, from the package ziglang."""
    spec = find_spec("ziglang")
    if spec is None or spec.origin is None:
        raise SystemExit("building wheels needs zig: pip install ziglang")
    return Path(spec.origin).with_name("zig")


def find_python(version: str) -> str:
    """The command of a CPython with its headers; SystemExit names what is missing."""
    script = "import os, sysconfig; assert os.path.exists(sysconfig.get_path('include') + '/Python.h')"
    tried = [f"python{version}"]
    if (pyenv := shutil.which("pyenv")) is not None:
        known = _output(pyenv, "versions", "--bare").split()
        folders = [_output(pyenv, "prefix", name) for name in known if name.startswith(f"{version}.")]
        tried += [f"{folder}/bin/python" for folder in folders]
    for command in filter(shutil.which, tried):
        if subprocess.run([command, "-c", script], capture_output=True, check=False).returncode == 0:
            return command
    raise SystemExit(
        f"building wheels needs CPython {version} with its headers; tried {', '.join(tried)}: install it "
        "(pyenv, or python3-dev of that version), or leave it out with --python"
    )


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def prepare(version: str) -> Interpreter:
    """Make the virtual environment of a version, once."""
    home = BUILD / f"python-{version}"
    python = home / "bin" / "python"
    done = home / "done"
    if not done.exists():
        subprocess.run([find_python(version), "-m", "venv", "--clear", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *_TOOLS], check=True)
        done.touch()
    return Interpreter(python, version, Path(_output(str(python), "-c", _INCLUDE)))


_INCLUDE = "import sysconfig; print(sysconfig.get_path('include'))"


def folder_of(target: Target, interpreter: Interpreter) -> Path:
    """Where a wheel is built."""
    return BUILD / f"{target.name}-{interpreter.version}"


def core_of(target: Target, interpreters: Iterable[Interpreter]) -> Path | None:
    """The core without Python, as it was built for one of these Pythons, if it was."""
    cores = (folder_of(target, each) / "cmake" / "cpp" / "libkmosaic_kmeans.a" for each in interpreters)
    return next(filter(Path.exists, cores), None)


def build(target: Target, interpreter: Interpreter, given: dict[str, Path | None], output: Path) -> Path:
    """Build one wheel; ``given`` are its core and its module's types, where they were made before."""
    folder = folder_of(target, interpreter)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "wheel"
    shutil.rmtree(made, ignore_errors=True)
    defines = toolchain_defines(target) | _python_defines(target, interpreter, folder)
    defines |= {name: "" if path is None else str(path) for name, path in given.items()}
    environment = {
        **os.environ,
        "_PYTHON_HOST_PLATFORM": target.platform,
        "PATH": f"{interpreter.python.parent}{os.pathsep}{os.environ['PATH']}",
        "CMAKE_GENERATOR": "Ninja",
    }
    if not interpreter.is_stable:
        environment["SETUPTOOLS_EXT_SUFFIX"] = target.suffix.format(interpreter.version.replace(".", ""))
    # A compiler and flags of this machine are not for other systems.
    for name in ("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CMAKE_CXX_COMPILER_LAUNCHER"):
        environment.pop(name, None)
    subprocess.run(
        [
            *(interpreter.python, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"),
            *("--no-deps", "--no-build-isolation", "--wheel-dir", made, f"-Cbuild-dir={folder / 'cmake'}"),
            *(f"-Ccmake.define.{name}={value}" for name, value in defines.items()),
            ROOT,
        ],
        env=environment,
        check=True,
    )
    # What the wheel asks of glibc was the compiler's choice, which the builder does not know of.
    retag = [str(interpreter.python), "-m", "wheel", "tags", "--remove", "--platform-tag", target.tag]
    subprocess.run([*retag, *map(str, made.glob("*.whl"))], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = made.glob("*.whl")
    output.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(wheel, output / wheel.name))


def toolchain_defines(target: Target) -> dict[str, str]:
    """What CMake is told of the compiler."""
    return {
        "CMAKE_TOOLCHAIN_FILE": str(ROOT / "wheels" / "zig.cmake"),
        "KMOSAIC_ZIG": str(zig()),
        "KMOSAIC_ZIG_TARGET": target.zig,
        "KMOSAIC_SYSTEM": target.system,
        "KMOSAIC_PROCESSOR": target.processor,
    }


def _python_defines(target: Target, interpreter: Interpreter, folder: Path) -> dict[str, str]:
    """What CMake would ask this machine's Python, and would be told for this machine's system."""
    if not target.include:
        return {}
    # Their headers are the same but for pyconfig.h, which comes first here.
    include = folder / "include"
    shutil.rmtree(include, ignore_errors=True)
    shutil.copytree(interpreter.include, include)
    shutil.copy(ROOT / "wheels" / "include" / target.include / "pyconfig.h", include)
    defines = {"Python_INCLUDE_DIR": str(include)}
    if target.system == "Windows":
        dll = "python3" if interpreter.is_stable else f"python{interpreter.version.replace('.', '')}"
        library = write_import_library(zig(), include, dll, folder)
        kind = "Python_SABI_LIBRARY" if interpreter.is_stable else "Python_LIBRARY"
        defines |= {kind: str(library), "SKBUILD_SOSABI": ""}
        if not interpreter.is_stable:
            defines["NB_SUFFIX"] = target.suffix.format(interpreter.version.replace(".", ""))
    return defines


def extract_stub(wheel: Path) -> Path:
    """Write the module's types, as a wheel of this machine has them, below the build folder."""
    stub = BUILD / "_core.pyi"
    with zipfile.ZipFile(wheel) as archive:
        stub.write_bytes(archive.read("kmosaic/_core.pyi"))
    return stub


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m wheels.build", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--python", action="append", choices=PYTHONS, help="default: both")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="DIR")
    arguments = parser.parse_args()
    if unknown := set(arguments.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    interpreters = [prepare(version) for version in arguments.python or PYTHONS]
    stub = BUILD / "_core.pyi"
    stub.unlink(missing_ok=True)
    # The first is one that runs here: it tells the module's types, which the others need.
    native = TARGETS[f"linux-{os.uname().machine}"]
    wanted = arguments.targets or list(TARGETS)
    for target in [native, *(TARGETS[name] for name in TARGETS if name in wanted and name != native.name)]:
        for number, interpreter in enumerate(interpreters):
            if target is native and target.name not in wanted and stub.exists():
                continue
            # Only a module that runs here can tell its types.
            given = {
                "KMOSAIC_STUB": stub if stub.exists() else None,
                "KMOSAIC_CORE": core_of(target, interpreters[:number]),
            }
            wheel = build(target, interpreter, given, arguments.output)
            if not stub.exists():
                extract_stub(wheel)
            print(f"{wheel} ({wheel.stat().st_size / 1e6:.1f} MB)", flush=True)


if __name__ == "__main__":
    main()
