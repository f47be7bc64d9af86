"""Named recipes: chains of transformers that images go through before they are clustered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from kmosaic.cluster import FeatureStep, Model
from kmosaic.errors import DataError, ModelFileError
from kmosaic.features.base import ImageShape, ImageTransformer, StageProgress
from kmosaic.features.deskew import Deskew
from kmosaic.features.gradients import OrientedGradients
from kmosaic.features.graph import GraphEmbedding, useful_components
from kmosaic.features.onnx import OnnxEmbedding
from kmosaic.features.patches import LearnedPatches
from kmosaic.features.pixels import Pixels
from kmosaic.features.signed_power import SignedPower
from kmosaic.features.unit_length import UnitLength
from kmosaic.features.vector_graph import VectorGraph
from kmosaic.features.whiten import Whiten
from kmosaic.models.validation import in_short
from kmosaic.rows import RowSource
from kmosaic.tensors import readable

StepProgress = Callable[[int, int, str], None]
"""Called with the images done, how many there are, and what is being done to them."""


@dataclass(frozen=True)
class NetworkOptions:
    """What is given of a network of images: the parameters of ``OnnxEmbedding`` of the same names."""

    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None
    input_size: tuple[int, int] | None = None
    resample: str = "bilinear"
    layout: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class RecipeOptions:
    """What a recipe is made for: images of ``image_shape``, whether to deskew them first, and a seed.

    ``white`` is the pixel value of full brightness, None the dtype's own; ``n_clusters`` how many clusters
    are wanted, the most of several, None where that is not known; ``argument`` what follows the recipe's name
    and a colon: the file of "onnx:FILE"; ``network`` what is given of that; ``exact`` compares all pairs of
    images for a graph, however many.
    """

    image_shape: ImageShape
    deskew: bool = False
    seed: int = 0
    white: float | None = None
    n_clusters: int | None = None
    argument: str | None = None
    network: NetworkOptions = NetworkOptions()
    exact: bool = False


@dataclass(frozen=True)
class VectorRecipe:
    """What is done to vectors of ``n_features`` numbers, in this order; None leaves a step out.

    Their values are raised to a power, their signs kept; they are made of unit length, whitened to so many
    components (then, where they were before, made of unit length again), and placed by the graph of their
    neighbours, for so many clusters; ``exact`` compares all pairs for it, however many.

    Power, unit length, whitening, unit length is the usual chain for descriptors of images: H. Jégou, O. Chum
    (2012), "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening".
    """

    n_features: int
    unit_length: bool = False
    n_whitened: int | None = None
    n_graph_clusters: int | None = None
    exact: bool = False
    power: float | None = None


@dataclass(frozen=True)
class RecipeEntry:
    """One recipe of the table: ``make`` gives its steps, without deskewing, not fitted.

    ``deskews_writing`` says whether data known to be handwriting is deskewed where nobody says otherwise;
    ``argument`` names what must follow the recipe's name after a colon, None where nothing may.
    """

    make: Callable[[RecipeOptions], list[ImageTransformer]]
    summary: str
    deskews_writing: bool
    argument: str | None = None


def _gradients(options: RecipeOptions) -> list[ImageTransformer]:
    return [
        OrientedGradients(n_orientations=16, image_shape=options.image_shape),
        Whiten(128, regularization=0.0, power=0.4),
    ]


def _graph(options: RecipeOptions) -> list[ImageTransformer]:
    graph = GraphEmbedding(exact=options.exact or None, image_shape=options.image_shape)
    if options.n_clusters is not None:
        graph.set_params(n_components=useful_components(options.n_clusters))
    return [graph]


def _patches(options: RecipeOptions) -> list[ImageTransformer]:
    return [
        LearnedPatches(image_shape=options.image_shape, random_state=options.seed),
        Whiten(128, regularization=0.0, power=0.4),
    ]


def _onnx(options: RecipeOptions) -> list[ImageTransformer]:
    return [
        OnnxEmbedding(
            options.argument or "",
            **asdict(options.network),
            white=options.white,
            image_shape=options.image_shape,
        )
    ]


RECIPES: dict[str, RecipeEntry] = {
    "pixels": RecipeEntry(lambda _: [], "the images as they are", deskews_writing=False),
    "gradients": RecipeEntry(_gradients, "histograms of oriented gradients", deskews_writing=True),
    "graph": RecipeEntry(_graph, "how images hang together, neighbour by neighbour", deskews_writing=True),
    "patches": RecipeEntry(_patches, "a dictionary of patches, for colour photographs", deskews_writing=True),
    "onnx": RecipeEntry(_onnx, "an image model's embedding", deskews_writing=False, argument="FILE"),
}

# What a model file may name; nothing else is ever made from one.
STEPS: dict[str, type[ImageTransformer]] = {
    step.__name__: step
    for step in (
        Pixels,
        Deskew,
        OrientedGradients,
        Whiten,
        GraphEmbedding,
        LearnedPatches,
        OnnxEmbedding,
        SignedPower,
        UnitLength,
        VectorGraph,
    )
}

VECTORS = "vectors"
"""The name of recipes whose rows are no images' pixels, but were made elsewhere."""
_VECTOR_STEPS = ("SignedPower", "UnitLength", "Whiten", "VectorGraph")


class Recipe:
    """A chain of transformers under a name, from rows of pixels to the rows that are clustered.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> recipe = Recipe.named("gradients", RecipeOptions((8, 8, 1)))
    >>> recipe.fit_transform(load_digits().data).shape
    (1797, 128)
    """

    def __init__(self, name: str, steps: Sequence[ImageTransformer]) -> None:
        self.name = name
        self.steps = tuple(steps)

    @classmethod
    def named(cls, text: str, options: RecipeOptions) -> Recipe:
        """Return the recipe that ``text`` names, "gradients" or "onnx:FILE", not fitted.

        Raises
        ------
        DataError
            When there is none of that name, or its argument is missing, or has none.
        """
        name, argument = split_name(text)
        given = replace(options, argument=argument)
        first: list[ImageTransformer] = [Deskew(image_shape=options.image_shape)] if options.deskew else []
        return cls(name, first + RECIPES[name].make(given))

    @classmethod
    def of_vectors(cls, options: VectorRecipe) -> Recipe:
        """Return the recipe for rows that were made elsewhere, not fitted."""
        shape = (1, options.n_features, 1)
        steps: list[ImageTransformer] = []
        if options.power is not None:
            steps.append(SignedPower(options.power, image_shape=shape))
        if options.unit_length:
            steps.append(UnitLength(image_shape=shape))
        if options.n_whitened is not None:
            if options.n_whitened > options.n_features:
                raise DataError(
                    f"{options.n_whitened:,} principal components of vectors of {options.n_features:,} "
                    f"numbers; ask for at most {options.n_features:,} (--whiten)"
                )
            steps.append(Whiten(options.n_whitened, regularization=0.0, power=0.4, image_shape=shape))
            if options.unit_length:
                steps.append(UnitLength())
        if options.n_graph_clusters is not None:
            n_components = useful_components(options.n_graph_clusters)
            steps.append(VectorGraph(n_components, exact=options.exact or None))
        return cls(VECTORS, steps)

    @classmethod
    def of(cls, model: Model, text: str | None = None) -> Recipe:
        """Return the fitted recipe by which ``model`` sees images; nothing in the model is trusted.

        ``text`` may name the recipe again, to say where the file of "onnx:FILE" is now.

        Raises
        ------
        ModelFileError
            When the model has a step that this version does not know, or that does not fit the others.
        DataError
            When ``text`` names another recipe than the model's.
        """
        kept = model.representation
        default = "pixels" if model.image is not None else VECTORS
        own = default if kept is None else kept.name
        name, argument = (own, None) if text in (None, own) else split_name(text or "")
        if name != own:
            raise DataError(f"the model was fitted on features {own!r}, not {text!r}; leave --features out")
        if kept is None:
            return cls(own, ())
        _check_kinds(kept.name, [step.kind for step in kept.steps])
        steps = [_restored(step) for step in kept.steps]
        if argument is not None:
            for step in steps:
                if isinstance(step, OnnxEmbedding):
                    step.set_params(file=argument)
        if model.image is None:
            width = steps[0].n_features_in_
        else:
            width = model.image.n_features
            _check_shapes(steps, model.image.shape)
        _check_widths(steps, width, model.cluster_centers.shape[1])
        return cls(kept.name, steps)

    @property
    def deskews(self) -> bool:
        """Whether images are set upright first."""
        return any(isinstance(step, Deskew) for step in self.steps)

    @property
    def keeps_pixels(self) -> bool:
        """Whether what comes out is still in pixel values."""
        return self.name != VECTORS and all(isinstance(step, Deskew | Pixels) for step in self.steps)

    def n_clustered(self, n_clusters: int) -> int | None:
        """Return how many features, the first, are clustered into so many clusters; None: all.

        Of a graph's coordinates those that tell so many groups apart; others would only part these further.
        """
        graphs = any(isinstance(step, GraphEmbedding | VectorGraph) for step in self.steps)
        return useful_components(n_clusters) if graphs else None

    def __str__(self) -> str:
        """Name it in words: "gradients of deskewed images"."""
        if self.name == VECTORS:
            return _vectors_in_words(self.steps)
        name = {"graph": "graph coordinates", "onnx": "onnx embeddings"}.get(self.name, self.name)
        return f"{name} of deskewed images" if self.deskews else name

    def fit_transform(
        self, X: ArrayLike, *, n_threads: int | None = None, progress: StepProgress | None = None
    ) -> NDArray[Any]:
        """Fit the steps on images X, (n_samples, height * width * channels), and return their features."""
        return self._through(X, "fit_transform", n_threads, progress)

    def transform(
        self, X: ArrayLike, *, n_threads: int | None = None, progress: StepProgress | None = None
    ) -> NDArray[Any]:
        """Return the features of images X, by what was fitted."""
        return self._through(X, "transform", n_threads, progress)

    @property
    def network(self) -> OnnxEmbedding | None:
        """The network that makes the features, where one does."""
        last = self.steps[-1] if self.steps else None
        return last if isinstance(last, OnnxEmbedding) else None

    def before_network(self, X: ArrayLike, *, n_threads: int | None = None) -> NDArray[Any]:
        """Fit the steps on images X, and return what the last of them, a network, is to get."""
        rows = Recipe(self.name, self.steps[:-1]).fit_transform(X, n_threads=n_threads)
        self.steps[-1].set_params(n_threads=n_threads).fit(rows)
        return rows

    def kept(self) -> tuple[FeatureStep, ...]:
        """Return the fitted steps as a model file keeps them."""
        return tuple(FeatureStep(type(step).__name__, step.parameters(), step.state()) for step in self.steps)

    def _through(
        self, X: ArrayLike, method: str, n_threads: int | None, progress: StepProgress | None
    ) -> NDArray[Any]:
        if isinstance(X, RowSource):
            if not self.steps:
                return cast(NDArray[Any], X)
            X = X.load()
        X = readable(X)
        rows: Any = X
        for step in self.steps:
            what = _WORDS.get(type(step).__name__, type(step).__name__)
            callback = None if progress is None else StageProgress(progress, what, f"{self.name}: ")
            step.set_params(n_threads=n_threads, callback=callback)
            try:
                rows = getattr(step, method)(rows)
            finally:
                step.set_params(callback=None)
            _check_finite(step, rows)
        if rows is X:
            rows = check_array(X, dtype=None)
        return rows  # type: ignore[no-any-return]


def _vectors_in_words(steps: Sequence[ImageTransformer]) -> str:
    """
    >>> _vectors_in_words([SignedPower(0.5), UnitLength(), Whiten(64), VectorGraph()])
    'graph of whitened unit vectors to the power 0.5'
    """
    words = {UnitLength: "unit", Whiten: "whitened", VectorGraph: "graph of"}
    seen = [words[type(step)] for step in reversed(steps) if not isinstance(step, SignedPower)]
    powers = [f"to the power {step.power:g}" for step in steps if isinstance(step, SignedPower)]
    return " ".join([*seen, "vectors", *powers])


# Of an image, between steps: many times what any recipe makes of the largest.
_MAX_FEATURES = 1 << 24
_WORDS = {
    "Deskew": "deskewing",
    "OrientedGradients": "gradients",
    "Whiten": "whitening",
    "GraphEmbedding": "neighbours",
    "LearnedPatches": "patches",
    "OnnxEmbedding": "embedding",
    "SignedPower": "powers",
    "UnitLength": "unit length",
    "VectorGraph": "neighbours",
}


def split_name(text: str) -> tuple[str, str | None]:
    """Return the name of a recipe and its argument, if any.

    Raises DataError as ``Recipe.named``.

    >>> split_name("gradients")
    ('gradients', None)
    """
    name, colon, argument = text.partition(":")
    if name not in RECIPES:
        names = ", ".join(
            f"{name}:{entry.argument}" if entry.argument else name for name, entry in RECIPES.items()
        )
        raise DataError(f"features {text!r} are not known; choose one of {names}")
    wanted = RECIPES[name].argument
    if wanted is None and colon:
        raise DataError(f"features {text!r}: nothing follows {name}; write {name}")
    if wanted is not None and not argument:
        raise DataError(f"features {text!r}: {name} needs its {wanted}; write {name}:{wanted}")
    return name, argument if colon else None


def _check_kinds(name: str, kinds: list[str]) -> None:
    """Refuse a model's recipe that has other steps than its name says."""
    if name == VECTORS and set(kinds) <= set(_VECTOR_STEPS):
        return
    if name not in RECIPES:
        raise ModelFileError(f"the model's features {name[:80]!r} are not known to this kmosaic; upgrade it")
    for kind in kinds:
        if kind not in STEPS:
            raise ModelFileError(f"the model has a step {kind!r} that this kmosaic does not know; upgrade it")
    known = [type(step).__name__ for step in RECIPES[name].make(RecipeOptions((1, 1, 1), argument="any"))]
    if not set(kinds) <= {"Deskew", *known}:
        raise ModelFileError(
            f"the model's features are not the {name} it says they are; make it again with `kmosaic fit -o`"
        )


def _check_shapes(steps: Sequence[ImageTransformer], shape: ImageShape) -> None:
    """Refuse steps that take other images than the model's for what they get."""
    for step in steps:
        if isinstance(step, Whiten):  # what it gets are features
            return
        if step.image_shape_ != shape:
            raise ModelFileError(
                f"the model's {type(step).__name__} takes images of {step.image_shape_}, and the model has "
                f"{shape}; make it again with `kmosaic fit -o`"
            )
        if not isinstance(step, Deskew | Pixels):
            return


def _check_widths(steps: Sequence[ImageTransformer], width: int, n_clustered: int) -> None:
    """Refuse steps that do not go together, from rows of ``width`` values to those that are clustered."""
    for step in steps:
        if step.n_features_in_ != width:
            raise ModelFileError(
                f"the model's {type(step).__name__} takes {step.n_features_in_} features and gets "
                f"{width}; make it again with `kmosaic fit -o`"
            )
        width = step._n_features_out
        if width > _MAX_FEATURES:
            raise ModelFileError(
                f"the model's {type(step).__name__} makes {width:,} features of an image, more than "
                f"{_MAX_FEATURES:,}; make it again with `kmosaic fit -o`"
            )
    if width != n_clustered:
        raise ModelFileError(
            f"the model's features are {width}, and its centroids have {n_clustered}; make it again with "
            "`kmosaic fit -o`"
        )


def _check_finite(step: ImageTransformer, rows: NDArray[Any]) -> None:
    """Refuse features that no distance can be measured of, from a model that nobody vouches for."""
    if rows.dtype.kind == "f" and rows.size and not (np.isfinite(rows.min()) and np.isfinite(rows.max())):
        raise ModelFileError(
            f"{type(step).__name__} makes NaN or infinity of these images; fit it again (`kmosaic fit -o`)"
        )


def _restored(step: FeatureStep) -> ImageTransformer:
    try:
        return STEPS[step.kind].from_state(step.parameters, step.arrays)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(
            f"the model's {step.kind} is damaged ({in_short(error)}); make it again with `kmosaic fit -o`"
        ) from error
