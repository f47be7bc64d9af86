"""What a command line asks of vectors that were made elsewhere, put into their own terms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from kmosaic.cli.features import FeatureOptions
from kmosaic.cli.options import RealRange, WholeNumber, option_group, path_option
from kmosaic.cli.request import Options, Reading, refuse_without

if TYPE_CHECKING:
    from kmosaic.cli.progress import ProgressBar
    from kmosaic.cluster import Model
    from kmosaic.features import Recipe
    from kmosaic.images import Dataset, Progress, ReadOptions, VectorCollection
    from kmosaic.images.collection import Collection


vector_file_options = option_group(
    "Vectors from elsewhere",
    path_option(
        "--vectors",
        help="Take these vectors, such as embeddings: a .npy, .npz, Parquet, Arrow or Feather file, "
        "or a folder of .npy files. SOURCE, if any, has the pictures, in the same order.",
    ),
    path_option(
        "--paths", help="The picture of each vector, by its path in SOURCE: a text file of one path a line."
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
exact_option = option_group(
    "Vectors from elsewhere",
    click.option(
        "--exact",
        is_flag=True,
        help="Compare all pairs of vectors, or of images, for nearest neighbours, also beyond 100,000.",
    ),
)
vectors_options = option_group(
    "Vectors from elsewhere",
    vector_file_options,
    click.option(
        "--power",
        type=RealRange(1e-6, 1.0),
        metavar="P",
        help="Raise every number to this power first, its sign kept: 0.5 for embeddings that are means "
        "of non-negative features, in which a few large numbers decide.",
    ),
    click.option(
        "--normalise",
        is_flag=True,
        help="Give every vector unit length, before whitening and after: their directions count.",
    ),
    click.option(
        "--whiten",
        type=WholeNumber(1),
        help="Cluster the first N principal components of the vectors, half-way to equal variance.",
    ),
    exact_option,
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
    power: float | None = None
    exact: bool = False

    @classmethod
    def taken_from(cls, given: dict[str, Any], *, needed: bool = True) -> Self:
        """Take the options of these names out of ``given``; refuse those that need --vectors without it.

        ``needed`` says whether there must be either these or a source.
        """
        options = super().taken_from(given)
        if options.vectors is None:
            alone = {name: value for name, value in vars(options).items() if name != "exact"}
            refuse_without("--vectors FILE", **alone)
            if needed and given.get("source") is None:
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

    def load_for(
        self, model: Model, recipe: Recipe, source: str | None, reading: ReadOptions, bar: ProgressBar
    ) -> VectorCollection:
        """Read the vectors that a model of vectors is to name; without --vectors, the source is their file.

        Raises DataError where the model is one of images, or they have another number of features.
        """
        from kmosaic.errors import DataError
        from kmosaic.vectors import load_vectors

        if model.image is not None:
            raise DataError("the model was fitted on images, not on vectors; leave --vectors out")
        n_features = recipe.steps[0].n_features_in_ if recipe.steps else model.cluster_centers.shape[1]
        needed = f"the model was fitted on rows of {n_features:,} numbers"
        path = Path(source or "")
        if self.given:
            given = self.load(source, reading, bar).train
        elif path.is_file() or any(path.glob("*.npy")):
            given = load_vectors(path).train
        else:
            raise DataError(
                f"{needed}, and {source} has none; give its vectors by --vectors FILE, or name a .npy file"
            )
        if given.vectors.shape[1] != n_features:
            numbers = f"{given.vectors.shape[1]:,} numbers"
            raise DataError(f"{given.source} are of {numbers}, and {needed}; make them as those were made")
        return given

    def recipe(self, vectors: VectorCollection, *, graph: bool = False, n_clusters: int = 0) -> Recipe:
        """Return what is done to the vectors first, not fitted; a ``graph`` for so many clusters at last."""
        from kmosaic.features import Recipe, VectorRecipe

        n_graph = n_clusters if graph else None
        return Recipe.of_vectors(
            VectorRecipe(
                vectors.vectors.shape[1], self.normalise, self.whiten, n_graph, self.exact, self.power
            )
        )


@dataclass(frozen=True)
class Input:
    """What is to be clustered: images as pixels or features, or vectors."""

    reading: Reading
    features: FeatureOptions
    vectors: Vectors

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of all three out of ``given``; refuse features of pictures beside vectors."""
        asked = cls(Reading.taken_from(given), FeatureOptions.taken_from(given), Vectors.taken_from(given))
        if asked.vectors.given and asked.features.features not in ("pixels", "graph"):
            raise click.UsageError(
                f"--features {asked.features.features} are of pictures, and --vectors has rows of its own; "
                "leave one of them out, or give --features graph"
            )
        if asked.vectors.given and asked.features.deskew is not None:
            raise click.UsageError(
                "--deskew is for pictures, and --vectors has rows of its own; leave it out"
            )
        if asked.features.features != "graph":
            refuse_without("--features graph", exact=asked.vectors.exact)
        return asked

    def read(self, source: str | None, bar: ProgressBar) -> Dataset[Collection]:
        """Read the images, or the vectors with their pictures."""
        from kmosaic.images import load_dataset

        if self.vectors.given:
            return self.vectors.load(source, self.reading.options(), bar)
        assert source is not None  # or Vectors.taken_from had refused it
        return load_dataset(source, self.reading.options(), bar)

    def recipe(self, source: str | None, train: Collection, seed: int, n_clusters: int) -> Recipe:
        """Return what they are clustered as, not fitted, for at most so many clusters."""
        from kmosaic.images import ImageCollection

        if isinstance(train, ImageCollection):
            exact = self.vectors.exact
            return self.features.recipe(source or "", train, seed, n_clusters, exact=exact)
        return self.vectors.recipe(train, graph=self.features.features == "graph", n_clusters=n_clusters)

    def load(
        self, source: str | None, seed: int, n_clusters: int, bar: ProgressBar
    ) -> tuple[Dataset[Collection], Recipe]:
        """Read what is to be clustered, and say as what."""
        dataset = self.read(source, bar)
        return dataset, self.recipe(source, dataset.train, seed, n_clusters)
