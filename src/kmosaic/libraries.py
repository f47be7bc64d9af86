"""Libraries that do not come with kmosaic, but with one of its extras."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kmosaic.errors import MissingLibraryError

_DRAWING = ("matplotlib", "pictures", "pictures are drawn")


def library(name: str, extra: str, purpose: str) -> Any:
    """Import a library; ``purpose`` is what it does, as "pictures are drawn".

    Raises MissingLibraryError, with the line that installs it, where it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibraryError(_missing(name, extra, purpose)) from error


def check_library(name: str, extra: str, purpose: str) -> None:
    """Raise as :func:`library` does, before the long work, and without the time that its import takes."""
    if find_spec(name) is None:
        raise MissingLibraryError(_missing(name, extra, purpose))


def _missing(name: str, extra: str, purpose: str) -> str:
    return f"{purpose} by {name}: pip install 'kmosaic[{extra}]'"


def check_drawing() -> None:
    """Raise MissingLibraryError where pictures cannot be drawn."""
    check_library(*_DRAWING)


def drawing_module(module: str) -> Any:
    """Import a module of kmosaic that draws pictures; raise MissingLibraryError where they cannot be."""
    library(*_DRAWING)
    return import_module(module)
