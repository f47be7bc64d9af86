"""Model files: a fitted clustering, and the image form it was fitted on, in one file.

The file is a ``container``; every field of it is checked all the same.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmosaic import engines
from kmosaic.errors import DataError
from kmosaic.models.cluster_tree import TREE_DTYPES, TREE_PREFIX, ClusterTree
from kmosaic.models.container import (
    Arrays,
    Document,
    Schema,
    check_fields,
    json_value,
    read_container,
    write_container,
)
from kmosaic.models.representation import ARRAY_PREFIX, TENSOR_DTYPES, Representation
from kmosaic.models.validation import (
    DTYPES,
    check_names,
    check_one_of,
    check_text,
    check_values,
    checked_array,
    finite_number,
    printable_names,
    printable_text,
    whole_number,
)
from kmosaic.tensors import native_rows
from kmosaic.version import VERSION

# Version 2 has a representation; models of pixels are still written as version 1, which every kmosaic reads.
# Version 3 is that of scenes; in version 4 the image format may be null; version 5 has the algorithms whose
# labels are not the nearest centroid's of the rows as they are; version 6 has representations of vectors.
SCHEMA_VERSION = 6
_OTHER_ALGORITHMS = 5
FIT_POLICIES = ("pad", "crop", "stretch")
_SPHERICAL = "SphericalKMeans"
_OF_TREES = ("BisectingKMeans", "TwoLevelKMeans")
_NEAREST = ("KMeans", "MiniBatchKMeans")
ALGORITHMS = (*_NEAREST, _SPHERICAL, *_OF_TREES)

# Centres of unit length are so up to rounding.
_UNIT_LENGTH = 1e-9

_TENSOR_DTYPES = {"cluster_centers": "F64", "cluster_sizes": "I64", "label_shares": "F64"}
# What a model fitted without labels, and one of pixels, does not have.
_OPTIONAL = {"label_shares", "representation", "tree"}


@dataclass(frozen=True)
class ImageFormat:
    """The form every image of a collection has, and how other images are brought to it.

    ``height`` and ``width`` are in pixels; ``dtype`` is one of uint8, uint16, float32, float64;
    ``max_value`` is the value of full brightness (255, 65535, 1.0, or 16 for scikit-learn's digits);
    ``fit`` says what is done with images of another size: "pad", "crop" or "stretch".

    Raises
    ------
    ValueError
        When a field has a wrong type or is out of range.

    Examples
    --------
    >>> ImageFormat(28, 28, 1, "uint8", 255).n_features
    784
    """

    height: int
    width: int
    channels: int
    dtype: str
    max_value: float
    fit: str = "pad"

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), low=1))
        check_one_of("dtype", self.dtype, DTYPES)
        check_one_of("fit", self.fit, FIT_POLICIES)
        object.__setattr__(self, "max_value", finite_number("max_value", self.max_value))
        if self.max_value <= 0:
            raise ValueError(f"max_value={self.max_value} must be above 0")
        if self.dtype.startswith("uint") and self.max_value > np.iinfo(self.dtype).max:
            raise ValueError(f"max_value={self.max_value} is more than {self.dtype} can hold")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def size(self) -> str:
        """The size as text, as ``--size`` takes it: width x height, with a note where the two differ.

        Examples
        --------
        >>> ImageFormat(64, 96, 1, "uint8", 255).size, ImageFormat(8, 8, 1, "uint8", 255).size
        ('96 x 64 pixels (width x height)', '8 x 8 pixels')
        """
        order = "" if self.width == self.height else " (width x height)"
        return f"{self.width} x {self.height} pixels{order}"

    @property
    def n_features(self) -> int:
        """Values in one image: height * width * channels."""
        return self.height * self.width * self.channels


@dataclass(frozen=True, eq=False)
class ClusterNaming:
    """Names given to clusters, and the votes behind them.

    ``cluster_names`` holds one name a cluster, each one of ``label_names``; ``label_shares`` is float64
    (n_clusters, n_labels), each row the share of every label among the rows of that cluster.
    """

    cluster_names: tuple[str, ...]
    label_names: tuple[str, ...]
    label_shares: NDArray[np.float64]


@dataclass(frozen=True)
class Origin:
    """Where a model came from, as text: the data, the command that made it, and its features' names."""

    trained_on: str = ""
    command: str | None = None
    feature_names: tuple[str, ...] | None = None


UNKNOWN_ORIGIN = Origin()


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted clustering on its own: what is needed to name new images, and its origin.

    ``cluster_centers`` is float64 (n_clusters, n_features) in raw pixel units, ``cluster_sizes`` int64
    (n_clusters,) rows of the training data, ``inertia`` the training data's, in squared raw pixel units.
    ``cluster_names``, ``label_names`` and ``label_shares`` are as in ``ClusterNaming``, or all None. Where
    images were not clustered as pixels, ``representation`` is what they were turned to, and the centres and
    the inertia are in its units. ``image`` is None where the rows were no images: vectors, or a photo's
    pixels. ``tree`` is that of a BisectingKMeans or TwoLevelKMeans, and None of others. The centres of a
    SphericalKMeans have unit length, and its inertia is the sum of cosine distances.

    Raises
    ------
    ValueError
        When a field has a wrong type, is out of range, or disagrees with another in shape.
    """

    cluster_centers: NDArray[np.float64]
    image: ImageFormat | None
    algorithm: str
    parameters: dict[str, Any]
    feature_names: tuple[str, ...] | None
    cluster_sizes: NDArray[np.int64]
    inertia: float
    n_iter: int
    converged: bool
    seed: int | None
    cluster_names: tuple[str, ...] | None
    label_names: tuple[str, ...] | None
    label_shares: NDArray[np.float64] | None
    trained_on: str
    kmosaic_version: str
    command: str | None
    representation: Representation | None = None
    tree: ClusterTree | None = None

    def __post_init__(self) -> None:
        _check_arrays(self)
        _check_fit(self)
        _check_algorithm(self)
        _check_texts(self)
        _check_naming(self)

    @classmethod
    def from_fit(
        cls,
        fitted: Any,
        image: ImageFormat | None = None,
        *,
        naming: ClusterNaming | None = None,
        origin: Origin = UNKNOWN_ORIGIN,
        representation: Representation | None = None,
    ) -> Model:
        """Make a model of one of kmosaic's fitted estimators, with its names and its origin.

        ``image`` is the form of the images fitted, None where the rows were none.

        Control characters in names and in the origin become U+FFFD: these texts are printed to terminals.

        Raises
        ------
        ValueError
            When the estimator is another one (its ``predict`` may mean anything), or does not go with the
            image format.
        """
        name = type(fitted).__name__
        check_one_of("algorithm", name, ALGORITHMS)
        if not type(fitted).__module__.startswith("kmosaic."):
            raise ValueError(f"{name} of {type(fitted).__module__} must be kmosaic's own {name}")
        centers = np.array(fitted.cluster_centers_, dtype=np.float64)
        parameters = fitted.get_params(deep=False)
        seed = fitted.random_state
        return cls(
            cluster_centers=centers,
            image=image,
            algorithm=type(fitted).__name__,
            parameters={name: json_value(value) for name, value in parameters.items() if name != "callback"},
            feature_names=printable_names(origin.feature_names or getattr(fitted, "feature_names_in_", None)),
            cluster_sizes=np.asarray(np.bincount(fitted.labels_, minlength=len(centers)), np.int64),
            inertia=float(fitted.inertia_),
            n_iter=int(fitted.n_iter_),
            converged=bool(fitted.converged_),
            seed=int(seed) if isinstance(seed, int | np.integer) else None,
            cluster_names=printable_names(naming.cluster_names) if naming else None,
            label_names=printable_names(naming.label_names) if naming else None,
            label_shares=np.array(naming.label_shares, dtype=np.float64) if naming else None,
            trained_on=printable_text(origin.trained_on),
            kmosaic_version=VERSION,
            command=None if origin.command is None else printable_text(origin.command),
            representation=representation,
            tree=getattr(fitted, "tree_", None),
        )

    @property
    def spherical(self) -> bool:
        """Whether rows are compared by their direction: of a SphericalKMeans."""
        return self.algorithm == _SPHERICAL

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster_centers.shape[0])

    @property
    def pictures(self) -> NDArray[np.float64]:
        """Each cluster as an image: its centroid, or its images' mean where the centroid is none.

        A direction, the centroid of a SphericalKMeans, is as bright as the format can be.

        Raises
        ------
        DataError
            When the model was fitted on rows that are no images.
        """
        if self.image is None:
            n = self.cluster_centers.shape[1]
            raise DataError(
                f"the model was fitted on rows of {n} numbers, which are no images: there is no picture to "
                "draw; its centroids are model.cluster_centers in Python"
            )
        if self.representation is not None and self.representation.mean_images is not None:
            return self.representation.mean_images
        if self.spherical:
            return brightened(self.cluster_centers, self.image.max_value)
        return self.cluster_centers

    @property
    def naming(self) -> ClusterNaming | None:
        """The names and the votes behind them, or None for a model fitted without labels."""
        if self.cluster_names is None or self.label_names is None or self.label_shares is None:
            return None
        return ClusterNaming(self.cluster_names, self.label_names, self.label_shares)

    def predict(self, X: ArrayLike, n_threads: int | None = None) -> NDArray[np.int32]:
        """Give the cluster of every row, exactly, as the fit did: int32 (n_samples,).

        That is the nearest centroid, of unit rows where ``spherical``, or that of the way down the ``tree``;
        ties go to the lowest index.

        ``X`` is (n_samples, n_features) in the raw pixel units of the training data, or what a model's
        ``representation`` turns images to (``kmosaic.features.Recipe.of(model).transform``); it is read in
        place where it is in C order and of a dtype that ``KMeans`` names.

        Raises
        ------
        ValueError
            When ``X`` is not two-dimensional, not finite, empty, beyond 1e100, or has another number of
            features; where ``spherical``, when a row is all zeros.
        """
        rows = native_rows(X)
        check_values("X", rows)
        if rows.shape[1] != self.cluster_centers.shape[1]:
            needed = f"the model was fitted on {self.cluster_centers.shape[1]}"
            if self.image is None:
                raise ValueError(f"X has {rows.shape[1]} features, but {needed}; give rows of as many")
            needed += f", images of {self.image.shape}"
            if self.representation is not None:
                raise ValueError(
                    f"X has {rows.shape[1]} features, but {needed} as {self.representation.name}; "
                    "pass kmosaic.features.Recipe.of(model).transform(X)"
                )
            raise ValueError(f"X has {rows.shape[1]} features, but {needed}; bring the images to that size")
        if self.tree is not None:
            return self.tree.predict(rows, n_threads)
        if self.spherical:
            rows = engines.unit_rows(rows, engines.resolve_n_threads(n_threads))
        return engines.nearest_centers(rows, self.cluster_centers, n_threads=n_threads)


def brightened(directions: NDArray[np.float64], max_value: float) -> NDArray[np.float64]:
    """Scale directions, (n_clusters, n_features), so that the largest value of each is ``max_value``.

    >>> brightened(np.array([[0.6, 0.8], [0.0, 1.0]]), 16)
    array([[12., 16.],
           [ 0., 16.]])
    """
    bright: NDArray[np.float64] = directions * (max_value / np.abs(directions).max(axis=1, keepdims=True))
    return bright


def save_model(model: Model, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write ``model`` to one file, whole or not at all; the same model always makes the same bytes.

    Raises
    ------
    OutputError
        When the file exists and ``overwrite`` is false, or cannot be written.
    ModelFileError
        When the model is larger than a model file may be.
    """
    present = {name: getattr(model, name) for name in _TENSOR_DTYPES}
    arrays = {name: array for name, array in present.items() if array is not None}
    document = {
        name: getattr(model, name)
        for name in Model.__dataclass_fields__
        if name not in (*_TENSOR_DTYPES, "representation", "tree")
    }
    if model.image is None:
        document |= {"image": None, "schema_version": 4}
    else:
        document |= {"image": asdict(model.image), "schema_version": 1}
    if model.representation is not None:
        document |= {"representation": model.representation.document(), "schema_version": 2}
        arrays |= model.representation.arrays()
    if model.algorithm not in _NEAREST:
        document["schema_version"] = _OTHER_ALGORITHMS
    if model.representation is not None and model.image is None:
        document["schema_version"] = SCHEMA_VERSION
    if model.tree is not None:
        document["tree"] = model.tree.document()
        arrays |= model.tree.arrays()
    write_container(path, document, arrays, overwrite=overwrite)


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model file back, to the bit as it was saved, trusting nothing in it.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, truncated, of another kind, or of a newer schema; the message says
        which, and what to do.
    """
    return read_container(path, _SCHEMA, _model_of)


def _dtypes(name: str) -> tuple[str, ...]:
    if name.startswith(TREE_PREFIX):
        return (TREE_DTYPES.get(name[len(TREE_PREFIX) :], ""),)
    return TENSOR_DTYPES if name.startswith(ARRAY_PREFIX) else (_TENSOR_DTYPES.get(name, ""),)


_SCHEMA = Schema(kind="images", newest=SCHEMA_VERSION, maker="`kmosaic fit -o`", dtypes=_dtypes)


def _model_of(fields: Document, arrays: Arrays) -> Model:
    represented = "representation" in fields or any(name.startswith(ARRAY_PREFIX) for name in arrays)
    version = fields.pop("schema_version")
    if version == 1 and represented:
        raise ValueError("a file of schema version 1 has no representation")
    newer = "tree" in fields or any(name.startswith(TREE_PREFIX) for name in arrays)
    if version < _OTHER_ALGORITHMS and (newer or fields.get("algorithm") in (_SPHERICAL, *_OF_TREES)):
        raise ValueError(f"a file of schema version {version} has another algorithm, and no tree")
    own = dict.fromkeys(name for name in arrays if not name.startswith((ARRAY_PREFIX, TREE_PREFIX)))
    check_fields(dict.fromkeys(_OPTIONAL) | fields | own, set(Model.__dataclass_fields__))
    for name in ("feature_names", "cluster_names", "label_names"):
        if isinstance(fields[name], list):
            fields[name] = tuple(fields[name])
    image = _image_of(fields.pop("image"), version)
    if image is None and represented and version < SCHEMA_VERSION:
        raise ValueError(f"a file of schema version {version} has no representation of vectors")
    representation = Representation.of(fields.pop("representation", None), arrays)
    centers = checked_array("cluster_centers", arrays["cluster_centers"], np.float64, ndim=2)
    tree = ClusterTree.of(fields.pop("tree", None), arrays, centers)
    return Model(
        image=image,
        cluster_centers=arrays["cluster_centers"],
        cluster_sizes=arrays["cluster_sizes"],
        label_shares=arrays.get("label_shares"),
        representation=representation,
        tree=tree,
        **fields,
    )


def _image_of(image: Any, version: int) -> ImageFormat | None:
    if image is None and version >= 4:
        return None
    if not isinstance(image, dict) or set(image) != set(ImageFormat.__dataclass_fields__):
        raise ValueError("the image format has missing or unknown fields")
    return ImageFormat(**image)


def _check_arrays(model: Model) -> None:
    centers = checked_array("cluster_centers", model.cluster_centers, np.float64, ndim=2)
    if centers.size < 1:
        raise ValueError("cluster_centers must be at least one")
    check_values("cluster_centers", centers)
    if model.representation is not None:
        if not isinstance(model.representation, Representation):
            raise ValueError("representation must be a Representation, or None")
        pictures = None if model.image is None else (model.image.n_features, model.image.dtype)
        model.representation.check_pictures(len(centers), pictures)
    elif model.image is not None and centers.shape[1] != model.image.n_features:
        wanted = f"images of {model.image.shape} have {model.image.n_features}"
        raise ValueError(f"cluster_centers has {centers.shape[1]} features, but {wanted}")
    sizes = checked_array("cluster_sizes", model.cluster_sizes, np.int64, ndim=1)
    if sizes.shape[0] != centers.shape[0] or sizes.min() < 0:
        raise ValueError(f"cluster_sizes must be {centers.shape[0]} counts of rows")


def _check_fit(model: Model) -> None:
    check_one_of("algorithm", model.algorithm, ALGORITHMS)
    object.__setattr__(model, "inertia", finite_number("inertia", model.inertia, low=0.0))
    object.__setattr__(model, "n_iter", whole_number("n_iter", model.n_iter, low=0))
    if not isinstance(model.converged, bool):
        raise ValueError("converged must be true or false")
    if model.seed is not None:
        object.__setattr__(model, "seed", whole_number("seed", model.seed, low=0))


def _check_algorithm(model: Model) -> None:
    """What an algorithm's labels need: a tree that goes with the clusters, or centres of unit length."""
    if not isinstance(model.tree, ClusterTree | None) or (model.tree is None) == (
        model.algorithm in _OF_TREES
    ):
        raise ValueError(f"a tree goes with {' and '.join(_OF_TREES)}, and these need one")
    if model.tree is not None:
        leaves = model.tree.leaves
        same = len(leaves) == model.n_clusters
        if not same or not np.array_equal(model.tree.centers[leaves], model.cluster_centers):
            raise ValueError("the leaves of the tree must be the clusters")
        if not np.array_equal(model.tree.sizes[leaves], model.cluster_sizes):
            raise ValueError("the sizes of the tree's leaves must be the clusters'")
    if (
        model.spherical
        and not np.abs(np.linalg.norm(model.cluster_centers, axis=1) - 1).max() <= _UNIT_LENGTH
    ):
        raise ValueError("cluster_centers of SphericalKMeans must have unit length")


def _check_texts(model: Model) -> None:
    if not isinstance(model.parameters, dict):
        raise ValueError("parameters must be a dict of names and plain values")
    for name, value in model.parameters.items():
        check_text("parameters", name)
        if isinstance(value, str):
            check_text(name, value)
        elif value is not None and not isinstance(value, bool | int):
            finite_number(name, value)
    check_text("trained_on", model.trained_on)
    check_text("kmosaic_version", model.kmosaic_version)
    check_text("command", "" if model.command is None else model.command)
    if model.feature_names is not None:
        check_names("feature_names", model.feature_names, model.cluster_centers.shape[1])


def _check_naming(model: Model) -> None:
    if model.cluster_names is None or model.label_names is None or model.label_shares is None:
        if any(part is not None for part in (model.cluster_names, model.label_names, model.label_shares)):
            raise ValueError("cluster_names, label_names and label_shares must be given together")
        return
    shares = checked_array("label_shares", model.label_shares, np.float64, ndim=2)
    check_names("cluster_names", model.cluster_names, model.n_clusters)
    check_names("label_names", model.label_names, shares.shape[1])
    if shares.shape[0] != model.n_clusters or shares.shape[1] < 1:
        raise ValueError(f"label_shares must have {model.n_clusters} rows and a column for every label")
    if not ((shares >= 0) & (shares <= 1)).all() or not np.allclose(shares.sum(axis=1), 1.0, atol=1e-6):
        raise ValueError("every row of label_shares must be shares that add to 1")
    if not set(model.cluster_names) <= set(model.label_names):
        raise ValueError("every cluster name must be one of label_names")
