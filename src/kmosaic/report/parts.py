"""The parts that pages are made of: tiles, key numbers and facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from kmosaic.images.collection import VectorCollection
from kmosaic.report.member_rows import image_titles
from kmosaic.report.provenance import Provenance
from kmosaic.report.tiles import DisplayRange, data_uri, display_range, png, reduced, tile_size, tiles
from kmosaic.report.wording import clean
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.images.collection import Collection, ImageCollection


N_FIRST = 40  # images shown before any result
_MAX_NUMBER_COLUMNS = 6
_MAX_LABELS = 12


@dataclass(frozen=True)
class Cell:
    """One image of a grid of tiles."""

    source: Markup
    alt: str
    title: str = ""
    hint: str = ""


@dataclass(frozen=True)
class TileGrid:
    """Tiles in at most ``n_columns`` columns; narrow screens get fewer."""

    cells: Sequence[Cell]
    n_columns: int
    aspect: str
    caption: str = ""


@dataclass(frozen=True)
class Fact:
    """A name and its value; ``note`` stands below in small letters, ``code`` sets the value as typed text."""

    name: str
    value: str
    note: str = ""
    code: bool = False


def number_columns(n_numbers: int) -> int:
    """Return the columns that share ``n_numbers`` key numbers evenly among as few lines as they need.

    >>> [number_columns(n) for n in (4, 5, 6, 7, 8)]
    [4, 5, 6, 4, 4]
    """
    n_lines = max(1, -(-n_numbers // _MAX_NUMBER_COLUMNS))
    return max(1, -(-n_numbers // n_lines))


class TileMaker:
    """Turns rows of one collection into tiles, all on one grey scale and none larger than ``side`` pixels."""

    def __init__(self, collection: ImageCollection, side: int) -> None:
        self.collection = collection
        self.side = side
        self.shown: DisplayRange = display_range(collection.pixels, collection.format)
        height, width = tile_size(collection.format)
        self.aspect = f"{width:g} / {height:g}"

    def sources(self, rows: NDArray[np.generic]) -> Iterator[Markup]:
        """Return the address of each row's picture; ``rows`` are pixel values."""
        for tile in tiles(rows, self.collection.format, self.shown):
            yield Markup(data_uri(png(reduced(tile, self.side)), "image/png"))

    def members(self, rows: NDArray[np.int64] | range) -> list[Cell]:
        """Return images of the collection, titled with their labels."""
        chosen = np.asarray(rows, dtype=np.intp)
        titles = image_titles(self.collection, chosen.tolist())
        cells = []
        sources = self.sources(self.collection.pixels[chosen])
        for source, row, title in zip(sources, chosen, titles, strict=True):
            name = clean(self.collection.ids[row])
            labelled = f", labelled {title}" if title else ""
            alt = f"image {name}{labelled}"
            cells.append(Cell(source, alt, title, hint=f"{name}{labelled}"))
        return cells

    def scale_note(self) -> str:
        """Say how vectors that are no image are drawn, and what is black and white if not 0 and 255."""
        form = self.collection.format
        note = " Each row of values is drawn as a bar code." if min(form.height, form.width) == 1 else ""
        whole = form.dtype == "uint8" and self.shown.high == 255
        return note if whole else f"{note} Pixel values: {self.shown}."


def first_tiles(maker: TileMaker) -> TileGrid:
    """Return the first images of the collection, with a caption."""
    n = min(N_FIRST, len(maker.collection))
    what = "with their labels" if maker.collection.labels is not None else "as they were read"
    caption = f"The first {n:,} of {len(maker.collection):,} images, {what}.{maker.scale_note()}"
    return TileGrid(maker.members(range(n)), 10, maker.aspect, caption)


def collection_facts(collection: Collection) -> list[Fact]:
    """Return what a reader wants to know of the images before anything else."""
    labels = "none" if collection.label_names is None else label_line(collection.label_names)
    facts = [Fact("Collection", collection.name), Fact("Source", collection.source or "not stated")]
    if isinstance(collection, VectorCollection):
        numbers = count(collection.vectors.shape[1], "number")
        facts.append(Fact("Vectors", f"{len(collection):,}, each {numbers} of {collection.vectors.dtype}"))
    if collection.images is not None:
        form = collection.images.format
        kind = {1: "grey", 3: "RGB"}.get(form.channels, f"{form.channels} channels")
        facts += [
            Fact("Images", f"{len(collection):,}"),
            Fact("Size", f"{form.size}, {kind}, {form.dtype} (brightest value {form.max_value:g})"),
        ]
    facts.append(Fact("Labels", labels))
    if collection.skipped:
        facts.append(Fact("Skipped", count(len(collection.skipped), "file")))
    return facts


def label_line(names: Sequence[str]) -> str:
    """Return the labels in one line, some of them where there are many."""
    listed = ", ".join(clean(name) for name in names[:_MAX_LABELS])
    more = f" and {len(names) - _MAX_LABELS:,} more" if len(names) > _MAX_LABELS else ""
    return f"{len(names):,}: {listed}{more}"


def making_facts(provenance: Provenance, more: Mapping[str, object] | None = None) -> list[Fact]:
    """Return how the result was made, the seed and the versions among it."""
    versions = provenance.versions
    facts = [Fact("Command", provenance.command, code=True)] if provenance.command else []
    facts += [Fact(name, str(value)) for name, value in (more or {}).items()]
    if provenance.seeds:
        seeds = ", ".join(str(seed) for seed in provenance.seeds)
        facts.append(Fact("Seed" if len(provenance.seeds) == 1 else "Seeds", seeds))
    facts += [
        Fact("Date", provenance.created.isoformat(sep=" ", timespec="seconds")),
        Fact("kmosaic", versions.kmosaic),
        Fact("Python", versions.python),
        Fact("NumPy", versions.numpy),
        Fact("Processor", versions.cpu),
        Fact("System", versions.system),
    ]
    if versions.instruction_set:
        facts.append(Fact("Kernels", versions.instruction_set))
    return facts
