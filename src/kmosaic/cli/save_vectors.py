"""What --save-vectors asks for: features written to a file, those of a network as they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from kmosaic.cli.options import option_group, path_option
from kmosaic.cli.request import refuse_without
from kmosaic.errors import OutputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kmosaic.cli.progress import ImageProgress
    from kmosaic.features import Recipe
    from kmosaic.images.collection import Collection
    from kmosaic.vectors.growing import GrowingVectors


save_vectors_options = option_group(
    "Output",
    path_option(
        "--save-vectors",
        help="Write the features that are clustered, for --vectors: .npy, or with the paths .npz or "
        ".parquet. Those of onnx:FILE are written as they come, and the same command goes on after an "
        "interruption.",
    ),
    click.option(
        "--vectors-dtype",
        type=click.Choice(["float16", "float32"]),
        help="How their numbers are written, and clustered; float16 takes half the room. "
        "[default: as they are]",
    ),
)


@dataclass(frozen=True, eq=False)
class _Embedded:
    rows: NDArray[Any]
    n_kept: int


@dataclass(frozen=True)
class SavedVectors:
    """A file that features are written to."""

    path: Path
    dtype: str | None
    overwrite: bool

    @classmethod
    def asked(cls, path: Path | None, dtype: str | None, *, overwrite: bool) -> Self | None:
        """Return what the options ask for; None where that is nothing.

        Raises click.UsageError for a dtype of nothing, OutputError for a name of no kind of file.
        """
        if path is None:
            refuse_without("--save-vectors", vectors_dtype=dtype)
            return None
        from kmosaic.vectors import check_vectors_name

        check_vectors_name(path)
        return cls(path, dtype, overwrite)

    def write(self, rows: NDArray[Any], images: Collection) -> NDArray[Any]:
        """Write features that are there; return them as they were written."""
        import numpy as np

        from kmosaic.vectors import save_vectors

        stored = rows if self.dtype is None else rows.astype(self.dtype, copy=False)
        if stored is not rows and not np.isfinite(stored).all():
            raise OutputError(f"{self.path}: {self.dtype} does not hold all values; write float32")
        save_vectors(self.path, stored, images.ids, overwrite=self.overwrite)
        return stored

    def embed(
        self, recipe: Recipe, images: Collection, threads: int | None, progress: ImageProgress
    ) -> _Embedded:
        """Make the features of a network, written as they come, where an earlier run left off."""
        import numpy as np

        from kmosaic.vectors import save_vectors

        network = recipe.network
        assert network is not None
        rows = recipe.before_network(images.rows, n_threads=threads)
        growing = self._growing(recipe, rows, images)
        if not self.overwrite:
            growing.check_same()
        with growing:
            n_kept = growing.n_done
            for block in network.blocks(rows, n_kept):
                growing.append(block)
                progress(growing.n_done, len(rows), f"{recipe.name}: embedding")
        if self.path.suffix.lower() == ".npy":
            return _Embedded(growing.give_name(overwrite=self.overwrite), n_kept)
        embedded = np.array(growing.finished())
        save_vectors(self.path, embedded, images.ids, overwrite=self.overwrite)
        growing.discard()
        return _Embedded(embedded, n_kept)

    def _growing(self, recipe: Recipe, rows: NDArray[Any], images: Collection) -> GrowingVectors:
        import onnxruntime

        from kmosaic.vectors.growing import GrowingVectors, digest_of_rows

        network, dtype = recipe.network, self.dtype or "float32"
        assert network is not None
        options = network.parameters()
        del options["file"]  # its digest counts, not where it is
        made_of = {
            "source": images.source,
            "images": digest_of_rows(rows),
            "model": network.digest_.tobytes().hex(),
            "options": options,
            "onnxruntime": onnxruntime.__version__,
            "dtype": dtype,
        }
        shape = len(rows), int(network.n_outputs_[0])
        return GrowingVectors(self.path, shape, dtype, made_of, step=network.block_size_)
