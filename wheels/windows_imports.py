"""Import libraries of python3.dll and python311.dll, which only CPython's installers for Windows have."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

# The name stands before the arguments; words such as _Py_NO_RETURN may stand before it.
_DECLARED = re.compile(r"PyAPI_(FUNC|DATA)\([^()]*\)\s*(?:_Py_NO_RETURN\s+)?[\s*(]*(_?Py\w+)")
_FEWEST = 500
"""CPython 3.11's and later headers declare 1,400; fewer were understood wrongly."""


def declared_names(include: Path) -> dict[str, bool]:
    """Return every name that the headers in ``include`` export, and whether it is data."""
    headers = [*include.glob("*.h"), *include.glob("cpython/*.h")]
    texts = [header.read_text(encoding="utf-8") for header in headers]
    names = {name: kind == "DATA" for text in texts for kind, name in _DECLARED.findall(text)}
    if len(names) < _FEWEST:
        raise SystemExit(f"{include} has no headers of CPython: {len(names)} names found")
    return names


def write_import_library(zig: Path, include: Path, dll: str, folder: Path) -> Path:
    """Write a library against which modules link that load ``dll``, and return its path.

    It has every name of the headers. Whether the module asks for any that ``python3.dll`` has not is
    checked in the finished wheel.
    """
    definition = folder / f"{dll}.def"
    lines = [f"{name} DATA" if is_data else name for name, is_data in sorted(declared_names(include).items())]
    definition.write_text("\n".join([f"LIBRARY {dll}.dll", "EXPORTS", *lines, ""]), encoding="utf-8")
    library = folder / f"{dll}.lib"
    command = [str(zig), "dlltool", "-m", "i386:x86-64", "-D", f"{dll}.dll"]
    subprocess.run([*command, "-d", str(definition), "-l", str(library)], check=True)
    return library
