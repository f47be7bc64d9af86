"""The model of a scene's classes, and its file: what is needed to label another scene."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.models.container import Arrays, Document, Schema, check_fields, read_container, write_container
from kmosaic.models.validation import (
    check_names,
    check_text,
    check_values,
    checked_array,
    finite_number,
    printable_text,
    whole_number,
)
from kmosaic.scenes.fit.fitting import SceneFit
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Band, Scene
from kmosaic.version import VERSION

# Version 3 of model files has a kind.
SCHEMA_VERSION = 3
_MAX_PIXELS = 1 << 50
_TENSOR_DTYPES = {"centers": "F64", "sizes": "I64", "colours": "U8"}


@dataclass(frozen=True, eq=False)
class SceneModel:
    """Classes found in a scene.

    Parameters
    ----------
    centers : (n_classes, n_bands) float64
        In units of ``scaling``.
    scaling : Scaling
        How values are brought to these units.
    bands : tuple of str
        The description of each band, "" where it has none, in order.
    bands_from_files : bool
        Whether descriptions are but the names of the bands' files, which other scenes need not share.
    sizes : (n_classes,) int64
        Pixels of each class in the scene fitted on.
    colours : (n_classes, 3) uint8
        Red, green and blue of each class in maps.
    class_names : tuple of str, or None
        A name for each class, "" where it has none.
    inertia : float
        Of the scene fitted on, in squared scaled units.
    n_iter, converged, seed
        How the fit went.
    trained_on, kmosaic_version, command : str; the last may be None
        Where the model came from.

    Raises
    ------
    ValueError
        When a field has a wrong type, is out of range, or disagrees with another in shape.
    """

    centers: NDArray[np.float64]
    scaling: Scaling
    bands: tuple[str, ...]
    sizes: NDArray[np.int64]
    colours: NDArray[np.uint8]
    class_names: tuple[str, ...] | None
    inertia: float
    n_iter: int
    converged: bool
    seed: int
    trained_on: str
    kmosaic_version: str
    command: str | None
    bands_from_files: bool = False

    def __post_init__(self) -> None:
        if self.scaling.n_bands != checked_array("centers", self.centers, np.float64, ndim=2).shape[1]:
            raise ValueError(f"the scaling must be of {self.centers.shape[1]} bands")
        _check_arrays(self)
        check_names("bands", self.bands, self.centers.shape[1])
        if self.class_names is not None:
            check_names("class_names", self.class_names, self.n_classes)
        object.__setattr__(self, "inertia", finite_number("inertia", self.inertia, low=0.0))
        for name in ("n_iter", "seed"):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), low=0))
        for name in ("converged", "bands_from_files"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false")
        check_text("trained_on", self.trained_on)
        check_text("kmosaic_version", self.kmosaic_version)
        check_text("command", "" if self.command is None else self.command)

    @classmethod
    def from_fit(
        cls,
        fit: SceneFit,
        scene: Scene,
        colours: NDArray[np.uint8],
        *,
        seed: int,
        class_names: Sequence[str] | None = None,
        command: str | None = None,
    ) -> SceneModel:
        """Make a model of a scene's fit; control characters in texts become U+FFFD."""
        return cls(
            centers=fit.centers,
            scaling=fit.scaling,
            bands=_descriptions(scene.bands),
            sizes=fit.counts,
            colours=colours,
            class_names=None if class_names is None else tuple(map(printable_text, class_names)),
            inertia=fit.inertia,
            n_iter=fit.n_iter,
            converged=fit.converged,
            seed=seed,
            trained_on=printable_text(scene.name),
            kmosaic_version=VERSION,
            command=None if command is None else printable_text(command),
            bands_from_files=any(band.from_file for band in scene.bands),
        )

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(self.centers.shape[0])

    @property
    def band_centers(self) -> NDArray[np.float64]:
        """The centres in the bands' own units, (n_classes, n_bands)."""
        return self.scaling.unscale(self.centers)

    def check_scene(self, scene: Scene) -> None:
        """Refuse a scene whose bands are not those of the scene fitted on.

        Descriptions are compared where both scenes have them; names of files only for the bands' order.

        Raises
        ------
        DataError
            Where count, order or descriptions of the bands differ; the message says how.
        """
        bands = _descriptions(scene.bands)
        given = f"{scene.name} has {_listed(bands)}, and the model was fitted on {_listed(self.bands)}"
        if len(bands) != len(self.bands):
            raise DataError(f"{given}; choose the model's bands (--bands, ReadOptions.bands)")
        pairs = list(zip(bands, self.bands, strict=True))
        differ = [place for place, (ours, its) in enumerate(pairs, 1) if ours and its and ours != its]
        if not differ:
            return
        if sorted(bands) == sorted(self.bands):
            order = ",".join(str(bands.index(name) + 1) for name in self.bands)
            raise DataError(f"{given}: another order; read them in the model's (--bands {order})")
        if self.bands_from_files or any(scene.bands[place - 1].from_file for place in differ):
            return
        raise DataError(
            f"{given}: band {differ[0]} differs; choose the model's bands (--bands, ReadOptions.bands)"
        )


def save_scene_model(model: SceneModel, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write ``model`` to one file, whole or not at all; the same model always makes the same bytes.

    Raises
    ------
    OutputError
        When the file exists and ``overwrite`` is false, or cannot be written.
    """
    document = {
        field.name: getattr(model, field.name)
        for field in fields(model)
        if field.name not in (*_TENSOR_DTYPES, "scaling")
    }
    document |= {
        "scaling": model.scaling.to_dict(),
        "kind": _SCHEMA.kind,
        "schema_version": SCHEMA_VERSION,
    }
    arrays = {name: getattr(model, name) for name in _TENSOR_DTYPES}
    write_container(path, document, arrays, overwrite=overwrite)


def load_scene_model(path: str | os.PathLike[str]) -> SceneModel:
    """Read a model of a scene's classes back, to the bit as it was saved, trusting nothing in it.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, truncated, of another kind, or of a newer schema; the message says
        which, and what to do.
    """
    return read_container(path, _SCHEMA, _model_of)


_SCHEMA = Schema(
    kind="scene",
    newest=SCHEMA_VERSION,
    maker="`kmosaic segment SCENE --clusters K --model FILE`",
    dtypes=lambda name: (_TENSOR_DTYPES.get(name, ""),),
)


def _model_of(document: Document, arrays: Arrays) -> SceneModel:
    del document["schema_version"]
    document.setdefault("bands_from_files", False)
    check_fields(document | dict.fromkeys(arrays), {field.name for field in fields(SceneModel)})
    given: dict[str, Any] = {**document, **arrays, "scaling": Scaling.from_dict(document["scaling"])}
    for name in ("bands", "class_names"):
        if isinstance(given[name], list):
            given[name] = tuple(given[name])
    return SceneModel(**given)


def _check_arrays(model: SceneModel) -> None:
    centers = checked_array("centers", model.centers, np.float64, ndim=2)
    if centers.size < 1:
        raise ValueError("centers must be at least one")
    check_values("centers", centers)
    with np.errstate(over="ignore", invalid="ignore"):
        check_values("centers in the bands' units", model.scaling.unscale(centers))
    sizes = checked_array("sizes", model.sizes, np.int64, ndim=1)
    if len(sizes) != len(centers) or sizes.min() < 0 or sizes.max() > _MAX_PIXELS:
        raise ValueError(f"sizes must be {len(centers)} counts of pixels")
    if checked_array("colours", model.colours, np.uint8, ndim=2).shape != (len(centers), 3):
        raise ValueError(f"colours must be {len(centers)} of red, green and blue")


def _descriptions(bands: Sequence[Band]) -> tuple[str, ...]:
    return tuple(printable_text(band.description) for band in bands)


def _listed(bands: Sequence[str]) -> str:
    if not any(bands):
        return f"{len(bands)} bands" if len(bands) != 1 else "1 band"
    shown = ", ".join(name or str(number) for number, name in enumerate(bands[:20], 1))
    return f"{len(bands)} bands ({shown}{', ...' if len(bands) > 20 else ''})"
