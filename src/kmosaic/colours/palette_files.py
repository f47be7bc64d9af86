"""Palette files of other programs: GIMP (.gpl), Adobe (.ase, .aco), JSON, CSS, a PNG strip, hex codes.

Files are hostile until parsed: sizes are bounded, and every number is checked.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.errors import DataError, OutputError
from kmosaic.files import atomic_write, read_at_most
from kmosaic.images.decode import UnusableImageError, blaming_the_file, open_checked, pillow_warnings
from kmosaic.text import printable

MAX_COLORS = 256
_MAX_BYTES = 1 << 20
_MAX_NAME = 80
_MAX_DIGITS = 20
_HEX = re.compile(r"#([0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")
_GPL_LINE = re.compile(r"\s*(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})(?:\s+(.*))?$")
# Nothing but the beginning of a run is tried: a megabyte of dashes would take hours.
_CSS_LINE = re.compile(r"(?<![\w-])--([\w-]+)\s*:\s*(#[0-9a-fA-F]+)\s*;")
_ASE_COLOUR, _ASE_GROUP, _ASE_GROUP_END = 1, 0xC001, 0xC002
_ACO_RGB, _ACO_HSB, _ACO_GREY = 0, 1, 8

Entry = tuple[tuple[int, ...], str]
"""Values of a colour, 3 or 4 of them from 0 to 255, and its name, which may be empty."""


class PaletteContent(Protocol):
    """What is written of a palette: that of ``Palette``, whose module imports this one."""

    @property
    def colors(self) -> NDArray[np.uint8]: ...
    @property
    def shares(self) -> NDArray[np.float64] | None: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def hex(self) -> tuple[str, ...]: ...
    @property
    def css_names(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...


def read_palette(path: Path) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Colours (k, 4) and their names from a file, whose format its ending says.

    Raises DataError where it cannot be read, is damaged, or has no colours or more than ``MAX_COLORS``.
    """
    where = printable(str(path))
    if path.suffix.lower() not in _FORMATS:
        raise DataError(f"{where}: a palette must end in {', '.join(_FORMATS)}")
    entries = _entries_of(_palette_bytes(path, where), path.suffix.lower(), where)
    if not 1 <= len(entries) <= MAX_COLORS:
        need = f"a palette has from 1 to {MAX_COLORS}; remove some, or choose another file"
        raise DataError(f"{where}: {len(entries):,} colours; {need}")
    colours = np.array([(*values, 255)[:4] for values, _ in entries], np.uint8)
    names = tuple(printable(name)[:_MAX_NAME] for _, name in entries)
    return colours, names if any(names) else ()


def _palette_bytes(path: Path, where: str) -> bytes:
    try:
        data = read_at_most(path, _MAX_BYTES)
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_BYTES:
        raise DataError(
            f"{where}: more than {_MAX_BYTES:,} bytes; no palette of at most {MAX_COLORS} colours is so large"
        )
    return data


def _entries_of(data: bytes, suffix: str, where: str) -> list[Entry]:
    """Values and name of each colour."""
    try:
        return list(_FORMATS[suffix][0](data))
    except (
        ValueError,
        struct.error,
        IndexError,
        KeyError,
        TypeError,
        RecursionError,
        UnusableImageError,
    ) as error:
        raise DataError(f"{where}: no palette of this format, or damaged: {printable(str(error))}") from error


def write_palette(palette: PaletteContent, path: Path, *, overwrite: bool) -> Path:
    """Write a palette in the format that the ending says.

    Raises OutputError where the ending is another, or the file cannot be written.
    """
    check_palette_name(path)
    content = _FORMATS[path.suffix.lower()][1](palette)
    with atomic_write(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)
    return path


def check_palette_name(path: Path | None) -> None:
    """Raises OutputError where ``path``, if any, ends in nothing that a palette can be written as."""
    if path is not None and path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path} must end in {', '.join(_FORMATS)}; that says how the palette is written")


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")


def _hex_values(code: str) -> tuple[int, ...]:
    if len(code) == 3:
        code = "".join(2 * digit for digit in code)
    return tuple(bytes.fromhex(code))


def _read_gpl(data: bytes) -> Iterator[Entry]:
    lines = _text(data).splitlines()
    if not lines or lines[0].strip() != "GIMP Palette":
        raise ValueError("its first line is not 'GIMP Palette'")
    for line in lines[1:]:
        if match := _GPL_LINE.match(line):
            yield tuple(_byte(int(match[i])) for i in (1, 2, 3)), (match[4] or "").strip()
        elif line.strip() and not re.match(r"\s*(#|Name:|Columns:)", line):
            raise ValueError(f"a line that is no colour: {line[:40]!r}")


def _byte(value: int) -> int:
    if not 0 <= value <= 255:
        raise ValueError(f"{value} is not from 0 to 255")
    return value


def _write_gpl(palette: PaletteContent) -> bytes:
    lines = ["GIMP Palette", "Name: kmosaic", "#"]
    for color, name in zip(palette.colors, _names(palette), strict=True):
        lines.append(f"{color[0]:3d} {color[1]:3d} {color[2]:3d}\t{name}")
    return ("\n".join(lines) + "\n").encode()


def _names(palette: PaletteContent) -> tuple[str, ...]:
    """A name for each colour: that which was given, or its code."""
    if not palette.names:
        return palette.hex
    return tuple(name or code for name, code in zip(palette.names, palette.hex, strict=True))


def _read_ase(data: bytes) -> Iterator[Entry]:
    if data[:4] != b"ASEF":
        raise ValueError("it does not begin with 'ASEF'")
    (n_blocks,) = struct.unpack_from(">I", data, 8)
    at = 12
    for _ in range(n_blocks):
        kind, size = struct.unpack_from(">HI", data, at)
        block = data[at + 6 : at + 6 + size]
        if len(block) < size:
            raise ValueError("it ends within a block")
        at += 6 + size
        if kind == _ASE_COLOUR:
            yield _ase_colour(block)
        elif kind not in (_ASE_GROUP, _ASE_GROUP_END):
            raise ValueError(f"a block of kind {kind:#x}")


def _ase_colour(block: bytes) -> Entry:
    (length,) = struct.unpack_from(">H", block)
    name = block[2 : 2 + 2 * length].decode("utf-16-be", errors="replace").rstrip("\0")
    at = 2 + 2 * length
    model = block[at : at + 4]
    numbers = {b"RGB ": 3, b"CMYK": 4, b"Gray": 1}.get(model)
    if numbers is None:
        raise ValueError(f"a colour of model {printable(model.decode('latin-1'))!r}; save it as RGB")
    values = np.array(struct.unpack_from(f">{numbers}f", block, at + 4))
    if not np.isfinite(values).all():
        raise ValueError("a colour that is no number")
    if model == b"CMYK":
        values = (1 - values[:3]) * (1 - values[3])
    rgb = np.rint(255 * np.clip(np.broadcast_to(values, 3), 0, 1)).astype(int)
    return tuple(rgb.tolist()), name


def _write_ase(palette: PaletteContent) -> bytes:
    blocks = []
    for color, name in zip(palette.colors, _names(palette), strict=True):
        text = name[:_MAX_NAME] + "\0"
        body = struct.pack(">H", len(text)) + text.encode("utf-16-be") + b"RGB "
        body += struct.pack(">3fH", *(color[:3] / 255), 2)
        blocks.append(struct.pack(">HI", _ASE_COLOUR, len(body)) + body)
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def _read_aco(data: bytes) -> Iterator[Entry]:
    version, n = struct.unpack_from(">HH", data)
    if version not in (1, 2):
        raise ValueError(f"version {version}, not 1 or 2")
    later = data[4 + 10 * n :]
    if version == 1 and later[:2] == b"\0\2":  # the same colours again, with names
        data = later
        version = 2
    at = 4
    for _ in range(n):
        model, *words = struct.unpack_from(">5H", data, at)
        at += 10
        name = ""
        if version == 2:
            (length,) = struct.unpack_from(">I", data, at)
            if length > 4096:
                raise ValueError("a name of more than 4096 characters")
            name = data[at + 4 : at + 4 + 2 * length].decode("utf-16-be", errors="replace").rstrip("\0")
            at += 4 + 2 * length
        yield _aco_values(model, words), name


def _aco_values(model: int, words: list[int]) -> tuple[int, ...]:
    import colorsys

    if model == _ACO_RGB:
        return tuple((word * 255 + 32767) // 65535 for word in words[:3])
    if model == _ACO_HSB:
        rgb = colorsys.hsv_to_rgb(*(word / 65535 for word in words[:3]))
        return tuple(round(255 * value) for value in rgb)
    if model == _ACO_GREY:
        return (round(255 * (1 - min(words[0], 10000) / 10000)),) * 3
    raise ValueError(f"a colour of model {model}; save it as RGB")


def _write_aco(palette: PaletteContent) -> bytes:
    plain, named = b"", b""
    for color, name in zip(palette.colors, _names(palette), strict=True):
        values = struct.pack(">5H", _ACO_RGB, *(int(value) * 257 for value in color[:3]), 0)
        text = name[:_MAX_NAME] + "\0"
        plain += values
        named += values + struct.pack(">I", len(text)) + text.encode("utf-16-be")
    n = len(palette)
    return struct.pack(">HH", 1, n) + plain + struct.pack(">HH", 2, n) + named


def _read_json(data: bytes) -> Iterator[Entry]:
    found: Any = json.loads(_text(data), parse_int=_whole_number)
    listed = found.get("colors", found.get("colours")) if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise ValueError("neither a list nor an object with a list of 'colors'")
    for item in listed:
        code = item.get("hex") if isinstance(item, dict) else item
        if isinstance(code, list) and len(code) in (3, 4) and all(type(value) is int for value in code):
            yield tuple(_byte(value) for value in code), ""
        elif isinstance(code, str) and (match := _HEX.fullmatch(code)):
            yield _hex_values(match[1]), str(item.get("name", "")) if isinstance(item, dict) else ""
        else:
            raise ValueError(f"{str(item)[:40]!r} is no colour such as '#1a2b3c' or [26, 43, 60]")


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits; a colour's are from 0 to 255")
    return int(digits)


def palette_data(palette: PaletteContent) -> dict[str, Any]:
    """What a JSON file of a palette holds."""
    listed: list[dict[str, Any]] = []
    for i, (code, css) in enumerate(zip(palette.hex, palette.css_names, strict=True)):
        entry: dict[str, Any] = {"hex": code, "rgba": palette.colors[i].tolist(), "nearest_css_name": css}
        if palette.names and palette.names[i]:
            entry["name"] = palette.names[i]
        if palette.shares is not None:
            entry["share"] = round(float(palette.shares[i]), 6)
        listed.append(entry)
    return {"colors": listed}


def _write_json(palette: PaletteContent) -> bytes:
    return (json.dumps(palette_data(palette), indent=1, ensure_ascii=False) + "\n").encode()


def _read_css(data: bytes) -> Iterator[Entry]:
    for match in _CSS_LINE.finditer(_text(data)):
        code = _HEX.fullmatch(match[2])
        if code is None:
            raise ValueError(f"{match[2][:12]!r} is no colour")
        yield _hex_values(code[1]), match[1]


def _write_css(palette: PaletteContent) -> bytes:
    lines = [f"  --color-{number}: {code};" for number, code in enumerate(palette.hex, 1)]
    return "\n".join([":root {", *lines, "}", ""]).encode()


def _read_hex(data: bytes) -> Iterator[Entry]:
    for line in _text(data).split():
        match = _HEX.fullmatch(line if line.startswith("#") else "#" + line)
        if match is None:
            raise ValueError(f"{line[:40]!r} is no colour such as 1a2b3c")
        yield _hex_values(match[1]), ""


def _write_hex(palette: PaletteContent) -> bytes:
    return ("\n".join(code[1:] for code in palette.hex) + "\n").encode()


def _read_png(data: bytes) -> Iterator[Entry]:
    """The colours along the middle row of a strip, each run of equal pixels once."""
    with pillow_warnings(), blaming_the_file(), open_checked(io.BytesIO(data)) as picture:
        if picture.width > 1 << 14 or picture.height > 1 << 12:
            raise ValueError(f"{picture.width} x {picture.height} pixels; a strip has at most 16384 x 4096")
        row = np.asarray(picture.convert("RGBA"))[picture.height // 2]
    new = np.concatenate([[True], (row[1:] != row[:-1]).any(axis=1)])
    for color in row[new]:
        yield tuple(color.tolist()), ""


def strip(palette: PaletteContent, height: int = 64, width: int = 64) -> Image.Image:
    """A picture of the colours side by side."""
    row = np.repeat(palette.colors, width, axis=0)
    return Image.fromarray(np.ascontiguousarray(np.broadcast_to(row, (height, *row.shape))))


def _write_png(palette: PaletteContent) -> bytes:
    buffer = io.BytesIO()
    strip(palette).save(buffer, "PNG")
    return buffer.getvalue()


_FORMATS: dict[str, tuple[Callable[[bytes], Iterator[Entry]], Callable[[PaletteContent], bytes]]] = {
    ".gpl": (_read_gpl, _write_gpl),
    ".ase": (_read_ase, _write_ase),
    ".aco": (_read_aco, _write_aco),
    ".json": (_read_json, _write_json),
    ".css": (_read_css, _write_css),
    ".hex": (_read_hex, _write_hex),
    ".txt": (_read_hex, _write_hex),
    ".png": (_read_png, _write_png),
}
