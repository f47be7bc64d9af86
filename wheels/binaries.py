"""What a native module exports and asks for: ELF, PE and Mach-O, read by LIEF."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from typing import Any

import lief

from wheels.targets import Target

ENTRY = "PyInit__core"
# By the last two threadpoolctl finds the module, and limits its threads.
EXPORTED = {ENTRY, "kmosaic_get_num_threads", "kmosaic_set_num_threads"}
_LIBRARIES = {
    "Linux": ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-*.so.?"),
    "Darwin": ("/usr/lib/libSystem.B.dylib",),
    # Windows' own, the C runtime that it has since Windows 10 among them.
    "Windows": ("python3*.dll", "kernel32.dll", "ntdll.dll", "advapi32.dll", "api-ms-win-*.dll"),
}
"""All that a wheel may ask of its system; the C++ library is inside."""


def binary_problems(content: bytes, target: Target, abi: str) -> Iterable[str]:
    """Say what is wrong with the symbols of a module."""
    binary: Any = lief.parse(list(content))
    if binary is None:
        return ["the module is no object file"]
    found = []
    exported = {function.name.removeprefix("_") for function in exported_functions(binary)}
    # zig's linker for macOS takes no list of what to export; there, names are bound to one library's.
    if exported != EXPORTED and not (target.system == "Darwin" and exported >= EXPORTED):
        found.append(f"the module exports {sorted(exported)[:9]}, not {sorted(EXPORTED)} alone")
    allowed = _LIBRARIES[target.system]
    found += [
        f"the module needs {library}"
        for library in libraries(binary)
        if not any(fnmatch(library.lower(), pattern.lower()) for pattern in allowed)
    ]
    if target.system == "Linux":
        found += _glibc_problems(binary)
    if target.system == "Windows":
        wanted = "python3.dll" if abi == "abi3" else f"python{abi.removeprefix('cp')}.dll"
        if wanted not in libraries(binary):
            found.append(f"the module does not ask for {wanted}")
    return found


def exported_functions(binary: Any) -> list[Any]:
    """The functions that others can call."""
    if isinstance(binary, lief.ELF.Binary):
        return [s for s in binary.exported_symbols if s.type == lief.ELF.Symbol.TYPE.FUNC]
    if isinstance(binary, lief.MachO.Binary):
        return list(binary.exported_symbols)
    return list(binary.get_export().entries) if binary.has_exports else []


def libraries(binary: Any) -> list[str]:
    """The names of the libraries that are loaded with it."""
    if isinstance(binary, lief.MachO.Binary):  # its own name is among them
        own = lief.MachO.LoadCommand.TYPE.ID_DYLIB
        return [str(library.name) for library in binary.libraries if library.command != own]
    return [str(getattr(library, "name", library)) for library in binary.libraries]


def _glibc_problems(binary: Any) -> Iterable[str]:
    for needed in binary.symbols_version_requirement:
        for version in needed.get_auxiliary_symbols():
            kind, _, number = version.name.partition("_")
            if kind == "GLIBC" and tuple(map(int, number.split("."))) > (2, 17):
                yield f"the module asks for {version.name} of {needed.name}"
