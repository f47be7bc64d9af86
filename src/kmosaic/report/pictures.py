"""Every picture kmosaic draws, and saving one."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from matplotlib.figure import Figure

from kmosaic.errors import OutputError
from kmosaic.files import atomic_write
from kmosaic.report.theme import DPI

_FORMATS = {".png": "png", ".svg": "svg"}
_RANDOM_NAME = re.compile(r"\b(?:image|[a-z])[0-9a-f]{10}\b")


def save_figure(figure: Figure, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    """Write ``figure`` as PNG or SVG, by the suffix of ``path``, whole or not at all.

    Raises
    ------
    OutputError
        When the suffix is another, or as :func:`kmosaic.files.atomic_write`.
    """
    target = Path(path)
    if target.suffix.lower() not in _FORMATS:
        raise OutputError(f"{target} ends in {target.suffix or 'no suffix'!r}; end the name in .png or .svg")
    with atomic_write(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(figure_bytes(figure, _FORMATS[target.suffix.lower()]))
    return target


def figure_bytes(figure: Figure, format: str) -> bytes:
    """Return ``figure`` as the content of a "png" or "svg" file, the same on every run."""
    buffer = io.BytesIO()
    metadata: dict[str, str | None] = (
        {"Creator": None, "Date": None} if format == "svg" else {"Software": None}
    )
    figure.savefig(
        buffer, format=format, dpi=DPI, facecolor=figure.get_facecolor(), bbox_inches=None, metadata=metadata
    )
    return _renamed(buffer.getvalue()) if format == "svg" else buffer.getvalue()


def _renamed(svg: bytes) -> bytes:
    """Number the elements that matplotlib names at random, in the order in which they are first met."""
    text = svg.decode("utf-8")
    defined = set(re.findall(r'\bid="((?:image|[a-z])[0-9a-f]{10})"', text))
    order: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        name = match.group()
        return order.setdefault(name, f"k{len(order)}") if name in defined else name

    return _RANDOM_NAME.sub(number, text).encode("utf-8")
