"""Embeddings by an image model in an ONNX file."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from kmosaic.errors import DataError
from kmosaic.features.base import (
    ImageShape,
    ImageTransformer,
    Progress,
    check_array,
    check_pair,
    check_real,
    check_whole,
    in_order,
)
from kmosaic.features.onnx_graph import read_graph
from kmosaic.features.onnx_model import RESAMPLE, ImageModel, ModelInput, input_of, open_model
from kmosaic.files import read_at_most

# Protobuf, which ONNX is written in, holds no more.
MAX_FILE_BYTES = 1 << 31
# How protobuf writes where a tensor lies whose values are in another file: field 13 of a TensorProto,
# external_data, its length, and the key "location". Metadata may have that key, in a field of another number.
_EXTERNAL = re.compile(rb"\x6a[\x80-\xff]{0,4}[\x00-\x7f]\n\x08location\x12")
_LAYOUTS = ("NCHW", "NHWC")


class OnnxEmbedding(ImageTransformer):
    """See images as an image model does: any ONNX file with one image input, run by onnxruntime.

    Images are brought to the model's size and channels, scaled to its range and normalised.
    Size, layout (channels first or last) and whether it wants bytes or floats are read from the model's
    input; range and normalisation from its metadata, where it has any: ``Image.NominalPixelRange`` and
    ``Image.BitmapPixelFormat`` of the ONNX standard, ``mean`` and ``std``. What these leave open is read from
    the first nodes, with the library onnx where that is installed: the layout, and a normalisation that is
    part of the model, or how its input is quantised. What is given here goes before.

    Parameters
    ----------
    file : str
        The model. Its weights must lie in it, not beside it; at most 2 GiB.
    input_size : (height, width) or None
        None: the model's, or the images' own where the model takes any.
    resample : "bilinear" or "bicubic"
        How images are brought to that size. Images of uint8 stay bytes until they have it.
    layout : "NCHW", "NHWC" or None
        None: the place of the channels, 1 or 3, in the model's input.
    mean, deviation : tuple of a number a channel, or None
        What is taken away from values from 0 to 1, and what they are divided by; from 0 to 255, where one
        of these numbers is above 2. None: the model's, or 0 and 1. ImageNet's are (0.485, 0.456, 0.406) and
        (0.229, 0.224, 0.225).
    white : float or None
        The pixel value of full brightness. None: 255 for uint8, 65535 for uint16, 1 for floats.
    output : str or None
        Which of the model's outputs to take; None: the first. Maps and sequences of features are averaged
        over places.
    batch_size : int, default 8
        Images run at once on each thread, where the model does not say how many. By EfficientNet-Lite0, 8
        take three quarters of the time that 32 take, and on two threads 0.5 GB instead of 1.1.
    image_shape, n_threads, callback
        See ``ImageTransformer``. Images shaped otherwise than a single row or a square grey image need
        ``image_shape``.

    Attributes
    ----------
    digest_ : (32,) uint8
        SHA-256 of the file fitted with; transform refuses another.
    n_outputs_ : (1,) int64
        Numbers an image becomes.
    block_size_ : int
        Images run at once; only where it was fitted here, and not restored.

    Raises
    ------
    MissingLibraryError
        Without onnxruntime: ``pip install onnxruntime``.
    DataError
        When the file cannot be read, is no ONNX model of images, or is not the one fitted with.

    Warns
    -----
    UserWarning
        In ``fit``, where the model does not state its size, its range and normalisation, or which of several
        outputs is meant, and none is given: it says what was assumed.

    Notes
    -----
    The features are float32. Each batch runs on one thread, batches side by side.

    Examples
    --------
    >>> embedding = OnnxEmbedding("resnet.onnx", image_shape=(32, 32, 3), batch_size=64)
    >>> embedding.get_params()["input_size"] is None  # the model's own
    True
    """

    _ARRAYS: ClassVar[tuple[str, ...]] = ("digest", "n_outputs")

    digest_: NDArray[np.uint8]
    n_outputs_: NDArray[np.int64]
    block_size_: int

    def __init__(  # noqa: PLR0913 (scikit-learn's contract: parameters are the constructor's arguments)
        self,
        file: str,
        *,
        input_size: tuple[int, int] | None = None,
        resample: str = "bilinear",
        layout: str | None = None,
        mean: tuple[float, ...] | None = None,
        deviation: tuple[float, ...] | None = None,
        white: float | None = None,
        output: str | None = None,
        batch_size: int = 8,
        image_shape: ImageShape | None = None,
        n_threads: int | None = None,
        callback: Progress | None = None,
    ) -> None:
        super().__init__(image_shape=image_shape, n_threads=n_threads, callback=callback)
        self.file = file
        self.input_size = input_size
        self.resample = resample
        self.layout = layout
        self.mean = mean
        self.deviation = deviation
        self.white = white
        self.output = output
        self.batch_size = batch_size

    @property
    def _n_features_out(self) -> int:
        return int(self.n_outputs_[0])

    def _check_parameters(self) -> None:
        if not isinstance(self.file, str) or not self.file or "\0" in self.file:
            raise ValueError(f"file={self.file!r} must be the name of an ONNX file")
        if self.layout not in (None, *_LAYOUTS):
            raise ValueError(f"layout={self.layout!r} must be NCHW or NHWC, or None: the model's own")
        if self.resample not in RESAMPLE:
            raise ValueError(f"resample={self.resample!r} must be one of {', '.join(RESAMPLE)}")
        if self.input_size is not None:
            check_pair("input_size", self.input_size, "height, width", 4096)
        self._check_normalisation()
        if self.white is not None:
            check_real("white", self.white, 1e-6, 1e100)
        if self.output is not None and not isinstance(self.output, str):
            raise ValueError(f"output={self.output!r} must be the name of one of the model's outputs")
        check_whole("batch_size", self.batch_size, 1, 65_536)

    def _check_normalisation(self) -> None:
        for name, low in (("mean", -1e6), ("deviation", 1e-6)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, tuple | list) or len(value) not in (1, 3)):
                raise ValueError(f"{name}={value!r} must be a number for each channel, 1 or 3")
            for number in value or ():
                check_real(name, number, low, 1e6)

    def _check_state(self) -> None:
        check_array("digest", self.digest_, np.uint8, (32,))
        check_array("n_outputs", self.n_outputs_, np.int64, (1,))
        check_whole("n_outputs", self._n_features_out, 1, 1 << 24)

    def _fit(self, rows: NDArray[Any]) -> None:
        self._check_parameters()
        data = read_model(self.file)
        self.digest_ = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
        model = self._model(data)
        if assumed := self._assumed(model):
            warnings.warn(f"{self.file} does not say all: {'; '.join(assumed)}", stacklevel=3)
        self.block_size_ = model.input.batch or self.batch_size
        first = rows[:1].reshape(1, *self.image_shape_)
        self.n_outputs_ = np.array([model.embed(first, self._white(rows)).shape[1]], dtype=np.int64)

    def _assumed(self, model: ImageModel) -> list[str]:
        """What the model does not state, and nobody gave, each with what is taken for it."""
        assumed = []
        if not model.input.stated and self.mean is None and self.deviation is None:
            assumed.append(
                "it states no normalisation, so it gets pixels as values from 0 to 1, where networks trained "
                "on ImageNet mostly need mean 0.485,0.456,0.406 and deviation 0.229,0.224,0.225 (--onnx-mean "
                "and --onnx-std; in Python mean=, deviation=; where 0 to 1 is right, give mean 0)"
            )
        if model.input.any_size and self.input_size is None:
            height, width = self.image_shape_[:2]
            assumed.append(
                f"it takes images of any size, so it gets them as they are, {width} x {height}, where "
                "networks mostly need the size they were trained on, such as 224 x 224 (--onnx-size; in "
                "Python input_size=)"
            )
        if len(model.outputs) > 1 and self.output is None:
            names = ", ".join(model.outputs)[:200]
            assumed.append(
                f"it has the outputs {names}, of which the first is taken (--onnx-output; in Python output=)"
            )
        return assumed

    def blocks(self, X: ArrayLike, first: int = 0) -> Iterator[NDArray[np.float32]]:
        """Yield what ``transform`` returns, block by block, from the row ``first`` on.

        Blocks have ``block_size_`` rows; where ``first`` is a multiple of that, they are those of a transform
        of all rows.
        """
        check_is_fitted(self, "block_size_")
        rows = self._rows(X, reset=False)
        embed = self._embedding(self._open(), rows)

        def of(start: int) -> NDArray[Any]:
            part = rows[start : start + self.block_size_]
            return embed(part.reshape(len(part), *self.image_shape_))

        yield from in_order(of, range(first, len(rows), self.block_size_), self.n_threads)

    def _transform(self, rows: NDArray[Any]) -> NDArray[Any]:
        model = self._open()
        embed = self._embedding(model, rows)
        return self._in_blocks(embed, rows, np.float32, model.input.batch or self.batch_size)

    def _embedding(
        self, model: ImageModel, rows: NDArray[Any]
    ) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
        """What makes images, whose white is that of ``rows``, to their features."""
        white = self._white(rows)

        def embed(images: NDArray[Any]) -> NDArray[np.float32]:
            embedded = model.embed(images, white)
            if embedded.shape[1] != self._n_features_out:
                raise DataError(f"{self.file} gives {embedded.shape[1]} numbers, then {self._n_features_out}")
            return embedded

        return embed

    def _open(self) -> ImageModel:
        data = read_model(self.file)
        if hashlib.sha256(data).digest() != self.digest_.tobytes():
            raise DataError(f"{self.file} is not the ONNX file fitted with; name that one, or fit again")
        return self._model(data)

    def _model(self, data: bytes) -> ImageModel:
        session = open_model(data, self.file)
        declared = input_of(session, self.file, self.layout, read_graph(data))
        own = declared.height or self.image_shape_[0], declared.width or self.image_shape_[1]
        height, width = own if self.input_size is None else self.input_size
        if (declared.height or height, declared.width or width) != (height, width):
            raise DataError(
                f"{self.file} takes images of (height, width) = {own}, not of input_size={height, width}"
            )
        chosen = ModelInput.normalised(declared, (height, width), self.mean, self.deviation)
        chosen = replace(chosen, resample=self.resample)
        return ImageModel(session, chosen, self.output, self.file)

    def _white(self, rows: NDArray[Any]) -> float:
        if self.white is not None:
            return float(self.white)
        return float(np.iinfo(rows.dtype).max) if rows.dtype.kind == "u" else 1.0


def read_model(file: str) -> bytes:
    """Return the bytes of an ONNX file, which may be anybody's.

    Raises DataError when it cannot be read, is too large, empty, or has weights elsewhere.
    """
    path = Path(file)
    try:
        size = path.stat().st_size
        data = read_at_most(path, MAX_FILE_BYTES) if size < MAX_FILE_BYTES else b""
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); name an ONNX model") from error
    if not 0 < len(data) < MAX_FILE_BYTES:
        raise DataError(f"{file} has {size:,} bytes; an ONNX model has some, up to 2 GiB")
    if _EXTERNAL.search(data):
        raise DataError(f"{file} keeps its weights in other files; save it again as one file")
    return data
