"""What a command line asks of vectors that were made elsewhere, put into their own terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from kmosaic.cli.options import WholeNumber, in_order
from kmosaic.cli.request import Options

if TYPE_CHECKING:
    from kmosaic.features import Recipe
    from kmosaic.images import Dataset, Progress, ReadOptions, VectorCollection

_FILE = click.Path(path_type=Path)


def vectors_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what is said about vectors to a command that fits."""
    return in_order(
        command,
        vector_file_options,
        click.option(
            "--normalise", is_flag=True, help="Give every vector unit length first: their directions count."
        ),
        click.option(
            "--whiten",
            type=WholeNumber(1),
            metavar="N",
            help="Cluster the first N principal components of the vectors, half-way to equal variance.",
        ),
    )


def vector_file_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add which vectors are read, and which pictures they are of, to a command."""
    return in_order(
        command,
        click.option(
            "--vectors",
            type=_FILE,
            metavar="FILE",
            help="Cluster these vectors, such as embeddings: a .npy, .npz, Parquet, Arrow or Feather file, or "
            "a folder of .npy files. SOURCE, if any, has the pictures, in the same order.",
        ),
        click.option(
            "--paths",
            type=_FILE,
            metavar="FILE",
            help="The picture of each vector, by its path in SOURCE: a text file of one path a line.",
        ),
        click.option(
            "--path-column",
            metavar="NAME",
            help="The same, as a column of the table of vectors (or of --paths, a CSV file then).",
        ),
        click.option(
            "--vector-column",
            metavar="NAME",
            help="The column of vectors. [default: that of lists of numbers, or all columns of numbers]",
        ),
        click.option("--allow-outside", is_flag=True, help="Allow paths that lead out of SOURCE."),
    )


optional_source_argument = click.argument("source", required=False)


@dataclass(frozen=True)
class Vectors(Options):
    """The options about vectors."""

    vectors: Path | None
    paths: Path | None
    path_column: str | None
    vector_column: str | None
    allow_outside: bool
    normalise: bool = False
    whiten: int | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of these names out of ``given``; refuse those that need --vectors without it."""
        options = super().taken_from(given)
        if options.vectors is None:
            others = {
                "--paths": options.paths,
                "--path-column": options.path_column,
                "--vector-column": options.vector_column,
                "--allow-outside": options.allow_outside,
                "--normalise": options.normalise,
                "--whiten": options.whiten,
            }
            alone = [name for name, value in others.items() if value not in (None, False)]
            if alone:
                raise click.UsageError(
                    f"{alone[0]} goes with --vectors FILE; name the vectors, or leave it out"
                )
            if given.get("source") is None:
                raise click.UsageError("Missing argument 'SOURCE', or --vectors FILE.")
        return options

    @property
    def given(self) -> bool:
        """Whether vectors are clustered, and not pictures."""
        return self.vectors is not None

    def load(
        self, pictures: str | None, reading: ReadOptions, progress: Progress
    ) -> Dataset[VectorCollection]:
        """Read the vectors, and find their pictures."""
        from kmosaic.vectors import VectorOptions, load_vectors

        assert self.vectors is not None
        options = VectorOptions(self.paths, self.path_column, self.vector_column, self.allow_outside)
        return load_vectors(self.vectors, pictures, options, reading, progress)

    def recipe(self, vectors: VectorCollection) -> Recipe:
        """Return what is done to the vectors first, not fitted."""
        from kmosaic.features import Recipe, VectorRecipe

        return Recipe.of_vectors(VectorRecipe(vectors.vectors.shape[1], self.normalise, self.whiten))

    def given_again(self) -> list[str]:
        """Return the arguments that name the same vectors; what has its default is left out."""
        values = {
            "--vectors": self.vectors,
            "--paths": self.paths,
            "--path-column": self.path_column,
            "--vector-column": self.vector_column,
            "--whiten": self.whiten,
        }
        arguments = [
            word for name, value in values.items() if value is not None for word in (name, str(value))
        ]
        flags = {"--allow-outside": self.allow_outside, "--normalise": self.normalise}
        return arguments + [flag for flag, given in flags.items() if given]
