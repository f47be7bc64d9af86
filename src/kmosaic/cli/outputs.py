"""Checking what a command is to write before its long work begins, and writing tables of images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from kmosaic.arrow_table import pyarrow, write_parquet
from kmosaic.csv_table import write_rows
from kmosaic.errors import OutputError
from kmosaic.files import atomic_write, check_output, check_outputs, check_suffix
from kmosaic.libraries import check_drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kmosaic.images.collection import Collection

_PICTURES = (".png", ".jpg", ".jpeg", ".svg", ".tif", ".tiff")
_NOT_FOR_MODELS = (".html", ".htm", ".csv", ".json", ".npy", ".npz", *_PICTURES)


def check_report_name(path: Path | None) -> None:
    """Check that ``path``, if any, is a name for a report.

    Raises OutputError when it ends in neither .html nor .htm.
    """
    if path is not None and path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"--report {path} must end in .html or .htm; a report is a web page")


def check_model_name(path: Path | None, option: str = "-o") -> None:
    """Check that ``path``, if any, given by ``option``, is no name for something else than a model.

    Raises OutputError when it ends like a report, a table, an array or a picture.
    """
    if path is not None and path.suffix.lower() in _NOT_FOR_MODELS:
        raise OutputError(
            f"{option} {path} is to be the model, and must not end in {path.suffix}; write {option} "
            f"{path.stem}.kmosaic"
        )


def check_pictures_folder(folder: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Check that ``folder`` exists or can be made, and that pictures of these names can be written there.

    Raises OutputError when it is no folder, or its parent is missing, or a picture is there already, and
    MissingLibraryError where pictures cannot be drawn.
    """
    check_drawing()
    if folder.is_dir():
        check_outputs((folder / name for name in names), overwrite=overwrite)
    elif folder.exists():
        raise OutputError(f"{folder} is a file; name a folder for the pictures")
    else:
        # Making it is putting an entry into its parent, which is what check_output looks at.
        check_output(folder)


def write_pictures(
    folder: Path, figures: Mapping[str, Callable[[], Figure]], suffix: str, *, overwrite: bool
) -> Iterator[Path]:
    """Draw figures and write them into ``folder``, made if missing; yield the path of each."""
    from kmosaic.report import save_figure

    folder.mkdir(exist_ok=True)
    for name, draw in figures.items():
        yield save_figure(draw(), folder / f"{name}.{suffix}", overwrite=overwrite)


def check_picture(path: Path | None, *, overwrite: bool) -> None:
    """Check that ``path``, if any, is a name for a picture, and can be written.

    Raises OutputError when it ends in neither .png nor .svg, or cannot be written, and MissingLibraryError
    where pictures cannot be drawn.
    """
    if path is None:
        return
    check_drawing()
    if path.suffix.lower() not in (".png", ".svg"):
        raise OutputError(f"{path} must end in .png or .svg; that says which of them to draw")
    check_output(path, overwrite=overwrite)


def write_assignments(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, overwrite: bool
) -> None:
    """Write a table of one line an image, whole or not at all: CSV, JSON or Parquet by its suffix.

    Raises OutputError when the file exists and ``overwrite`` is false, or cannot be written.
    """
    suffix = path.suffix.lower()
    with atomic_write(path, overwrite=overwrite) as temporary:
        if suffix == ".parquet":
            write_parquet(temporary, header, rows)
            return
        # File names need not be UTF-8; what cannot be written is escaped.
        with temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            if suffix == ".json":
                _write_json(stream, header, rows)
            else:
                write_rows(stream, header, rows)


def _write_json(stream: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """An array of objects, one a line."""
    separator = "["
    for row in rows:
        line = json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False)
        stream.write(f"{separator}\n{line}")
        separator = ","
    stream.write("\n]\n" if separator == "," else "[]\n")


def check_table(path: Path | None) -> None:
    """Check that the table can be written in the format that its name asks for.

    Raises OutputError for a name that asks for none, MissingLibraryError for Parquet without pyarrow.
    """
    if path is not None:
        check_suffix(path, (".csv", ".json", ".parquet"))
        if path.suffix.lower() == ".parquet":
            pyarrow()


def label_texts(collection: Collection) -> list[str]:
    """Return the label of every image, empty where none is known."""
    if collection.labels is None or collection.label_names is None:
        return [""] * len(collection)
    return [collection.label_names[label] for label in collection.labels]
