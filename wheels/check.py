"""Check wheels: ``python -m wheels.check dist/*.whl``."""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from wheels.binaries import binary_problems
from wheels.targets import TARGETS, Target

ROOT = Path(__file__).parents[1]
MAX_BYTES = 6_000_000
_NEEDED = ("py.typed", "_core.pyi", "report/templates/page.html.j2", "report/vendor/d3.min.js")
_AUDITWHEEL = re.compile(r'platform\s+tag:\s+"manylinux_2_(\d+)_')


@dataclass(frozen=True)
class Wheel:
    """A file, and what its name says: the Python, the ABI, the system."""

    path: Path
    python: str
    abi: str
    target: Target

    @classmethod
    def named(cls, path: Path) -> Wheel:
        """Raise ValueError where the name is none of the wheels that are built here."""
        _, _, python, abi, platform = path.stem.split("-")
        targets = [target for target in TARGETS.values() if target.tag == platform]
        if not targets or (python, abi) not in (("cp311", "cp311"), ("cp312", "abi3")):
            raise ValueError(f"{path.name}: no wheel of this project is tagged {python}-{abi}-{platform}")
        return cls(path, python, abi, targets[0])

    @property
    def module(self) -> str:
        """The native module's name in the archive."""
        last = self.target.suffix.rpartition(".")[2]
        if self.abi == "abi3":
            suffix = ".pyd" if last == "pyd" else f".abi3.{last}"
        else:
            suffix = self.target.suffix.format(self.python.removeprefix("cp"))
        return f"kmosaic/_core{suffix}"


def problems(path: Path) -> list[str]:
    """Say everything that is wrong with a wheel, in sentences; nothing where it is right."""
    wheel = Wheel.named(path)
    found = []
    if (size := path.stat().st_size) > MAX_BYTES:
        found.append(f"it has {size / 1e6:.1f} MB, and at most {MAX_BYTES / 1e6:.0f} MB are wanted")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        wanted = {wheel.module, *(f"kmosaic/{name}" for name in _NEEDED)}
        found += [f"{name} is missing" for name in sorted(wanted - names)]
        modules = {name for name in names if name.endswith((".so", ".pyd", ".dll", ".dylib"))}
        found += [f"{name} should not be there" for name in sorted(modules - {wheel.module})]
        found += _record_problems(archive)
        found += _metadata_problems(archive, wheel)
        if wheel.module in names:
            found += binary_problems(archive.read(wheel.module), wheel.target, wheel.abi)
    return found


def _record_problems(archive: zipfile.ZipFile) -> Iterable[str]:
    (record,) = (name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
    rows = {row[0]: row[1] for row in csv.reader(io.StringIO(archive.read(record).decode())) if row}
    for name in set(archive.namelist()) ^ set(rows):
        yield f"{name} is not both in the archive and in its RECORD"
    for name, digest in rows.items():
        if digest and name in archive.namelist():
            kind, _, value = digest.partition("=")
            actual = hashlib.new(kind, archive.read(name)).digest()
            if base64.urlsafe_b64encode(actual).decode().rstrip("=") != value:
                yield f"{name} has another {kind} than its RECORD"


def _metadata_problems(archive: zipfile.ZipFile, wheel: Wheel) -> Iterable[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    for key, value in (("Version", project["version"]), ("Requires-Python", project["requires-python"])):
        if metadata[key] != value:
            yield f"its {key} is {metadata[key]}, not {value}"
    if set(metadata.get_all("Provides-Extra", [])) != set(project["optional-dependencies"]):
        yield "its extras are not those of pyproject.toml"
    tag = f"{wheel.python}-{wheel.abi}-{wheel.target.tag}"
    tags = Parser().parsestr(archive.read(name.replace("METADATA", "WHEEL")).decode()).get_all("Tag", [])
    if tags != [tag]:
        yield f"WHEEL names the tags {tags}, not {tag}"


def audit(path: Path) -> Iterable[str]:
    """Say what auditwheel, delvewheel, delocate and abi3audit do not like."""
    wheel = Wheel.named(path)
    if wheel.target.system == "Linux":
        text = _run("auditwheel", "show", str(path))
        newest = [int(number) for number in _AUDITWHEEL.findall(text.replace("\n", " "))]
        if not newest or newest[0] > 17:
            yield f"auditwheel: {text}"
    if wheel.target.system == "Windows" and "will be copied" in (
        text := _run("delvewheel", "show", str(path))
    ):
        yield f"delvewheel: {text}"
    if wheel.target.system == "Darwin" and (text := _run("delocate-listdeps", "--all", str(path))):
        foreign = [line for line in text.splitlines() if not line.startswith(("/usr/lib/", "/System/"))]
        if foreign:
            yield f"delocate: {text}"
    if wheel.abi == "abi3":
        text = _run("abi3audit", "--strict", "--summary", str(path))
        if " 0 ABI version mismatches and 0 ABI violations" not in text.replace("\n", " "):
            yield f"abi3audit: {text}"


def _run(tool: str, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{done.stdout}{done.stderr}".strip()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m wheels.check", description=__doc__)
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    failed = False
    for path in parser.parse_args().wheels:
        found = [*problems(path), *audit(path)]
        print(f"{path.name}: {'; '.join(found) if found else 'right'}")
        failed |= bool(found)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
