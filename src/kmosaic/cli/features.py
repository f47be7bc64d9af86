"""What a command line asks of features, put into their own terms."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import click

from kmosaic.cli.console import in_seconds, print_notes, print_results
from kmosaic.cli.options import ChannelNumbers, SizeType, option_group
from kmosaic.cli.request import Options, refuse_without

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from kmosaic.cli.progress import ProgressBar
    from kmosaic.cli.request import Estimator
    from kmosaic.cli.save_vectors import SavedVectors
    from kmosaic.cluster import Representation
    from kmosaic.features import ClusterPictures, Recipe
    from kmosaic.images import ImageCollection
    from kmosaic.images.collection import Collection

# A movement of a quarter of an image is more than the model of distortions is meant for.
_MIN_SIDES_PER_WARP = 5


def _deskew_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--deskew/--no-deskew", default=None, help=f"Set slanted writing upright first. {default}"
    )


deskew_option = _deskew_option("[default: where the data set is known to be handwriting (mnist)]")
features_options = option_group(
    "Features",
    click.option(
        "--features",
        default="pixels",
        metavar="NAME",
        help="What images are clustered as: pixels, gradients (strokes and outlines), patches (colour "
        "photographs), graph (chains of nearest neighbours), or onnx:FILE (an image model's embedding).",
    ),
    click.option(
        "--onnx-mean",
        type=ChannelNumbers(),
        help="What the network of onnx:FILE wants taken from pixel values from 0 to 1 (ImageNet's: "
        "0.485,0.456,0.406), or from 0 to 255 where a mean or std is above 2. [default: as it states]",
    ),
    click.option(
        "--onnx-std",
        type=ChannelNumbers(1e-6),
        help="What it wants them divided by then (ImageNet's: 0.229,0.224,0.225). [default: as it states]",
    ),
    click.option(
        "--onnx-size",
        type=SizeType(),
        help="The size of images that it gets, where it takes any. [default: as they are read]",
    ),
    click.option(
        "--onnx-resample",
        type=click.Choice(["bilinear", "bicubic"]),
        help="How they are brought to that size. [default: bilinear]",
    ),
    click.option(
        "--onnx-layout",
        type=click.Choice(["NCHW", "NHWC"]),
        help="Whether it takes channels first or last, where it does not state it.",
    ),
    click.option(
        "--onnx-output", metavar="NAME", help="Which of its outputs is the embedding. [default: the first]"
    ),
    _deskew_option(
        "[default: for features other than pixels, where the data set is known to be handwriting (mnist)]"
    ),
)


def deskewed(
    images: ImageCollection, source: str, deskew: bool | None, threads: int | None, bar: ProgressBar
) -> NDArray[Any]:
    """Return the images' pixels, deskewed if asked for, or if ``source`` is known handwriting."""
    from kmosaic.features import Deskew, StageProgress
    from kmosaic.images.registry import is_handwriting

    if not (is_handwriting(source) if deskew is None else deskew):
        return images.pixels
    step = Deskew(
        image_shape=images.format.shape, n_threads=threads, callback=StageProgress(bar, "deskewing")
    )
    pixels: NDArray[Any] = step.fit_transform(images.pixels)
    return pixels


@dataclass(frozen=True)
class FeatureOptions(Options):
    """The options about features."""

    features: str
    deskew: bool | None
    onnx_mean: tuple[float, ...] | None = None
    onnx_std: tuple[float, ...] | None = None
    onnx_size: tuple[int, int] | None = None
    onnx_resample: str | None = None
    onnx_layout: str | None = None
    onnx_output: str | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> Self:
        """Take the options of these names out of ``given``; refuse recipes that there are not."""
        from kmosaic.features.recipes import split_name

        options = super().taken_from(given)
        if split_name(options.features)[0] != "onnx":
            network = {name: value for name, value in vars(options).items() if name.startswith("onnx_")}
            refuse_without("--features onnx:FILE", **network)
        return options

    def recipe(
        self, source: str, images: ImageCollection, seed: int, n_clusters: int, *, exact: bool = False
    ) -> Recipe:
        """Return the recipe they ask for, not fitted, for at most so many clusters.

        ``exact`` compares all pairs of images for a graph.
        """
        from kmosaic.features import RECIPES, Recipe, RecipeOptions
        from kmosaic.features.recipes import NetworkOptions, split_name
        from kmosaic.images.registry import is_handwriting

        deskew = self.deskew
        if deskew is None:
            deskew = RECIPES[split_name(self.features)[0]].deskews_writing and is_handwriting(source)
        form = images.format
        options = RecipeOptions(
            form.shape,
            deskew,
            seed,
            form.max_value,
            n_clusters,
            network=NetworkOptions(
                self.onnx_mean,
                self.onnx_std,
                self.onnx_size,
                self.onnx_resample or "bilinear",
                self.onnx_layout,
                self.onnx_output,
            ),
            exact=exact,
        )
        return Recipe.named(self.features, options)


def report_recall(recall: float) -> None:
    """Say how many of the true neighbours were found, where not all pairs were compared."""
    if recall < 1:
        print_notes(f"Of a sample's nearest neighbours {recall:.1%} were found; --exact compares all pairs")


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """The features of images by a fitted recipe, one row an image, and the seconds that they took."""

    recipe: Recipe
    rows: NDArray[Any]
    seconds: float
    n_kept: int = 0  # of an earlier run that was interrupted

    @classmethod
    def fitted(
        cls,
        recipe: Recipe,
        images: Collection,
        threads: int | None,
        bar: ProgressBar,
        *,
        saving: SavedVectors | None = None,
        whole: bool = True,
    ) -> Self:
        """Fit ``recipe`` on ``images``, and compute their features, which may be saved as they come.

        ``whole`` says whether the estimator wants them in memory; else files of vectors are left there.
        """
        from kmosaic.cli.progress import ImageProgress
        from kmosaic.rows import RowSource

        start = time.perf_counter()
        if recipe.steps:
            bar.start_over(f"{recipe.name}: fitting")
        progress = ImageProgress(bar)
        if saving is not None and recipe.network is not None:
            saved = saving.embed(recipe, images, threads, progress)
            return cls(recipe, saved.rows, time.perf_counter() - start, saved.n_kept)
        rows = recipe.fit_transform(images.rows, n_threads=threads, progress=progress)
        if isinstance(rows, RowSource) and (whole or saving is not None):
            rows = rows.load()
        if saving is not None:
            bar.start_over("writing the vectors")
            rows = saving.write(rows, images)
        return cls(recipe, rows, time.perf_counter() - start)

    def test_rows(self, images: Collection, threads: int | None, bar: ProgressBar) -> NDArray[Any]:
        """Return the features of other images, by the fitted recipe."""
        from kmosaic.cli.progress import ImageProgress

        return self.recipe.transform(images.rows, n_threads=threads, progress=ImageProgress(bar))

    def report(self, images: Collection) -> None:
        """Print the recipe, if it has steps, and warn where the images are too small for it."""
        from kmosaic.features import GraphEmbedding, VectorGraph
        from kmosaic.images import ImageCollection

        if not self.recipe.steps:
            return
        made = (len(self.rows) - self.n_kept) / max(self.seconds, 1e-9)
        kept = f"; {self.n_kept:,} were there already" if self.n_kept else ""
        what = "images" if isinstance(images, ImageCollection) else "vectors"
        took = f"{in_seconds(self.seconds)} s, {made:,.0f} {what} a second{kept}"
        print_results(f"Seen as {self.recipe}, which took {took}")
        for step in self.recipe.steps:
            if isinstance(step, GraphEmbedding | VectorGraph):
                report_recall(step.recall_)
        if not isinstance(images, ImageCollection):
            return
        height, width = images.format.height, images.format.width
        moved = next((step.warp for step in self.recipe.steps if isinstance(step, GraphEmbedding)), 0)
        if min(height, width) < _MIN_SIDES_PER_WARP * moved:
            print_notes(
                f"kmosaic: warning: images of {width} x {height} pixels are small for graph, which takes "
                f"those for alike that differ by movements of {moved} pixels: try --features gradients, too"
            )

    def white(self, images: Collection) -> float:
        """Return the brightness that a sweep scales J by: that of pixels, 1 of anything else."""
        return images.images.format.max_value if self.feature_name is None and images.images else 1.0

    @property
    def feature_name(self) -> str | None:
        """The recipe's name; None where the features are pixel values."""
        return None if self.recipe.keeps_pixels else str(self.recipe)

    def pictures(self, images: Collection, estimator: Estimator) -> ClusterPictures | None:
        """Return what the clusters look like, where centroids do not show it; of vectors, nothing does."""
        from kmosaic.engines import unit_rows
        from kmosaic.evaluate.summary import is_spherical
        from kmosaic.features import cluster_pictures
        from kmosaic.images import ImageCollection

        if not self.recipe.steps or not isinstance(images, ImageCollection):
            return None
        rows = unit_rows(self.rows) if is_spherical(estimator) else self.rows
        return cluster_pictures(
            images.pixels, rows, estimator.labels_, estimator.cluster_centers_, estimator.n_threads
        )

    def representation(self, images: Collection, shown: ClusterPictures | None) -> Representation | None:
        """Return what a model file keeps of the recipe, and of the pictures of its clusters."""
        from kmosaic.cluster import Representation
        from kmosaic.images import ImageCollection

        if not isinstance(images, ImageCollection):
            return Representation(self.recipe.name, self.recipe.kept()) if self.recipe.steps else None
        if shown is None:
            return None
        medoids = images.pixels[shown.medoids]
        return Representation(self.recipe.name, self.recipe.kept(), shown.means, medoids)
