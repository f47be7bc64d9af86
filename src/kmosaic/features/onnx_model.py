"""Running an image model by onnxruntime: the only module that knows it."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kmosaic.errors import DataError, MissingLibraryError
from kmosaic.features.onnx_graph import GraphStatement

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
RESAMPLE = tuple(_RESAMPLING)
_OF_TEXT = ("tensor(int64)", "tensor(int32)", "tensor(string)")
_MAX_SIDE = 4096
_MAX_OUTPUTS = 1 << 24
# ITU-R 601, as images are read.
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)
# Image.NominalPixelRange of the ONNX standard: the lowest and the highest value of a pixel.
_RANGES = {
    "NominalRange_0_255": (0.0, 255.0),
    "Normalized_0_1": (0.0, 1.0),
    "Normalized_1_1": (-1.0, 1.0),
    "NominalRange_16_235": (16.0, 235.0),
}


_STATEMENTS = ("mean", "std", "Image.NominalPixelRange")
# A mean or deviation above is of values to 255: of those to 1, neither can be.
_MAX_OF_UNIT_VALUES = 2.0


@dataclass(frozen=True)
class ModelInput:
    """The image that a model takes; None where it takes any.

    A value from 0 to 1 becomes ``low + value * (high - low)``, then less ``mean``, over ``deviation``. Where
    one of these is above 2, and the range is not stated, values go to 255.
    """

    name: str
    dtype: type[np.generic]
    channels_first: bool
    channels: int
    height: int | None
    width: int | None
    batch: int | None
    low: float = 0.0
    high: float = 1.0
    blue_first: bool = False
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)
    any_size: bool = False
    resample: str = "bilinear"
    stated: bool = False  # whether the model says anything of range or normalisation
    range_from: Literal["", "metadata", "graph"] = ""

    @staticmethod
    def normalised(
        declared: ModelInput,
        size: tuple[int, int],
        mean: Sequence[float] | None,
        deviation: Sequence[float] | None,
    ) -> ModelInput:
        """Return what the model told of itself, with a size, and with what else was given.

        Raises DataError when there is not one number, or one a channel, or the model takes bytes, which stay
        as they are.
        """
        for name, numbers in (("mean", mean), ("deviation", deviation)):
            if numbers is not None and declared.dtype is np.uint8:
                raise DataError(f"the model takes bytes, and normalises them itself; leave {name} out")
            if numbers is not None and len(numbers) not in (1, declared.channels):
                raise DataError(
                    f"{name}={tuple(numbers)} is not one number, nor one for each of the {declared.channels} "
                    "channels that the model takes"
                )
        if declared.range_from == "graph" and not (mean is None and deviation is None):
            # Who gives numbers knows of what values they are, and the graph's are not to be mixed with them.
            declared = replace(declared, high=1.0, mean=(0.0,), deviation=(1.0,), range_from="")
        return replace(
            declared,
            height=int(size[0]),
            width=int(size[1]),
            any_size=declared.height is None or declared.width is None,
            mean=declared.mean if mean is None else tuple(mean),
            deviation=declared.deviation if deviation is None else tuple(deviation),
        )._with_range()

    def _with_range(self) -> ModelInput:
        """Return it with values to 255, where its mean or deviation can be of no others."""
        largest = max(*map(abs, self.mean), *self.deviation)
        if self.range_from or self.dtype is np.uint8 or largest <= _MAX_OF_UNIT_VALUES:
            return self
        return replace(self, low=0.0, high=255.0)


def open_model(data: bytes, file: str) -> InferenceSession:
    """Return a session that runs the model on one thread at a time.

    Raises MissingLibraryError without onnxruntime; DataError when it is no ONNX model that onnxruntime can
    run.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingLibraryError(
            "features of an ONNX model need onnxruntime; pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    # One thread a batch: the order of sums, and so the bits, cannot depend on how many there are.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4
    try:
        # Weights in other files are refused before; whatever else a file may mean by them lies in no folder.
        with tempfile.TemporaryDirectory() as empty:
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", empty)
            return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class of its own for each kind of damage
        raise DataError(f"{file} is no ONNX model that can be run ({_reason(error)})") from error


def input_of(session: InferenceSession, file: str, layout: str | None, graph: GraphStatement) -> ModelInput:
    """Return the image that a model says it takes: by its input, its metadata, and then by its first nodes.

    Raises DataError when it takes no single image.
    """
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or inputs[0].type not in _DTYPES:
        given = ", ".join(f"{entry.type} {entry.shape}" for entry in inputs)[:200]
        of_text = any(entry.type in _OF_TEXT for entry in inputs)
        raise DataError(
            f"{file} takes {given or 'nothing'}; a model of images takes one batch of floats or bytes, "
            "(n, channels, height, width) or (n, height, width, channels)"
            + ("; this one takes text: export the part of it that takes images alone" if of_text else "")
        )
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    first = layout == "NCHW" if layout else _channels_first(sizes, file, graph)
    channels, height, width = (sizes[axis] for axis in ((1, 2, 3) if first else (3, 1, 2)))
    channels = channels or graph.channels
    if channels not in (1, 3, None):
        raise DataError(f"{file} takes images of {channels} channels; 1 (grey) and 3 (RGB) can be made")
    if max(height or 1, width or 1) > _MAX_SIDE or (sizes[0] or 1) > 65_536:
        raise DataError(f"{file} takes images of {shape}; no side may have more than {_MAX_SIDE} pixels")
    dtype = _DTYPES[inputs[0].type]
    declared = ModelInput(inputs[0].name, dtype, first, channels or 3, height, width, sizes[0])
    if dtype is not np.uint8 and graph.high is not None:
        declared = replace(
            declared,
            high=graph.high,
            mean=graph.mean,
            deviation=graph.deviation,
            stated=True,
            range_from="graph",
        )
    return _with_metadata(declared, session.get_modelmeta().custom_metadata_map, file)


def _channels_first(sizes: Sequence[int | None], file: str, graph: GraphStatement) -> bool:
    if (sizes[1] in (1, 3)) != (sizes[3] in (1, 3)):
        return sizes[1] in (1, 3)
    if graph.channels_first is None:
        raise DataError(
            f"{file} does not tell where its channels are, its input being {list(sizes)}; "
            "give OnnxEmbedding(layout='NCHW' or 'NHWC'), on the command line --onnx-layout"
        )
    return graph.channels_first


def _with_metadata(declared: ModelInput, metadata: Mapping[str, str], file: str) -> ModelInput:
    usual = (0.0, 255.0) if declared.dtype is np.uint8 else (declared.low, declared.high)
    told = metadata.get("Image.NominalPixelRange", "")
    low, high = _RANGES.get(told, usual)
    blue_first = metadata.get("Image.BitmapPixelFormat", "").startswith("Bgr")
    mean, deviation = metadata.get("mean"), metadata.get("std")
    return replace(
        declared,
        low=low,
        high=high,
        blue_first=blue_first,
        stated=declared.stated or declared.dtype is np.uint8 or not metadata.keys().isdisjoint(_STATEMENTS),
        range_from="metadata" if told in _RANGES else declared.range_from,
        mean=declared.mean if mean is None else _numbers(mean, "mean", file),
        deviation=declared.deviation if deviation is None else _numbers(deviation, "deviation", file),
    )


def _numbers(text: str, name: str, file: str) -> tuple[float, ...]:
    """One or three finite numbers, as JSON or with commas between; a deviation above 0."""
    try:
        parsed = json.loads(text) if text.lstrip().startswith("[") else text.split(",")
        numbers = tuple(float(number) for number in parsed)
    except (ValueError, TypeError, RecursionError):
        numbers = ()
    usable = len(numbers) in (1, 3) and all(math.isfinite(number) for number in numbers)
    if not usable or (name == "deviation" and min(numbers) <= 0):
        raise DataError(
            f"{file} has metadata {name}={text[:80]!r}, which is not a number for each channel; "
            f"give OnnxEmbedding({name}=...)"
        )
    return numbers


class ImageModel:
    """A session, with the images it takes; ``embed`` may be called from several threads."""

    def __init__(
        self, session: InferenceSession, model_input: ModelInput, output: str | None, file: str
    ) -> None:
        names = [entry.name for entry in session.get_outputs()]
        if output is not None and output not in names:
            raise DataError(f"{file} has no output {output!r}; it has {', '.join(names)[:200]}")
        self.input = model_input
        self._session = session
        self.outputs = names
        self._output = output or names[0]
        self._file = file

    def embed(self, images: NDArray[Any], white: float) -> NDArray[np.float32]:
        """Return the embedding of images (n, height, width, channels): (n, n_outputs)."""
        given = self._as_input(images, white)
        n = len(given)
        if self.input.batch and n < self.input.batch:  # the last of a model's fixed batches
            given = np.concatenate([given, np.zeros((self.input.batch - n, *given.shape[1:]), given.dtype)])
        try:
            (output,) = self._session.run([self._output], {self.input.name: given})
        except Exception as error:  # as in open_model
            raise DataError(f"{self._file} cannot be run on these images ({_reason(error)})") from error
        return self._averaged(np.asarray(output), len(given))[:n]

    def _averaged(self, output: NDArray[Any], n: int) -> NDArray[np.float32]:
        """One row an image: maps (n, c, h, w) and sequences (n, length, c) averaged over their places."""
        if output.dtype.kind != "f" or output.ndim not in (2, 3, 4) or len(output) != n or output.size == 0:
            raise DataError(
                f"{self._file} gives {output.dtype} {output.shape} for {n} images; a row of floats for each "
                "is needed: choose another output, OnnxEmbedding(output=...)"
            )
        channels_last = output.ndim == 3 or not self.input.channels_first
        places = tuple(range(1, output.ndim - 1)) if channels_last else tuple(range(2, output.ndim))
        rows = np.asarray(output, np.float32)
        rows = np.asarray(rows.mean(axis=places)) if places else rows
        if rows.shape[1] > _MAX_OUTPUTS or not np.isfinite(rows).all():
            raise DataError(f"{self._file} gives NaN, infinity or too many numbers; choose another output")
        return rows

    def _as_input(self, images: NDArray[Any], white: float) -> NDArray[Any]:
        declared = self.input
        size = declared.height or 1, declared.width or 1
        if images.dtype == np.uint8 and white == 255:
            # As networks are trained: pictures are bytes until they have their size. It is faster, too.
            images = _resized(images, size, declared.resample)
        values = _with_channels(np.asarray(images, np.float32) / np.float32(white), declared.channels)
        values = _resized(values, size, declared.resample)
        values = declared.low + values * (declared.high - declared.low)
        if declared.dtype is np.uint8:
            values = np.clip(np.rint(values), 0, 255)
        else:
            values -= np.array(declared.mean, np.float32)
            values /= np.array(declared.deviation, np.float32)
        values = values[..., ::-1] if declared.blue_first else values
        values = values.transpose(0, 3, 1, 2) if declared.channels_first else values
        return np.ascontiguousarray(values, declared.dtype)


def _with_channels(images: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if images.shape[3] == channels:
        return images
    if channels == 1 and images.shape[3] == 3:
        return np.asarray((images * _GREY_WEIGHTS).sum(axis=3, keepdims=True))
    grey = images if images.shape[3] == 1 else images.mean(axis=3, keepdims=True)
    return np.repeat(grey, channels, axis=3)


def _resized(images: NDArray[Any], size: tuple[int, int], resample: str) -> NDArray[Any]:
    """Images (n, height, width, channels) of bytes or float32, brought to (height, width)."""
    if images.shape[1:3] == size:
        return images
    resized = np.empty((len(images), *size, images.shape[3]), images.dtype)
    # Three bytes a pixel are one picture; of floats, every channel is.
    whole = images.dtype == np.uint8 and images.shape[3] == 3
    parts = [slice(None)] if whole else list(range(images.shape[3]))
    for number, image in enumerate(images):
        for part in parts:
            picture = Image.fromarray(np.ascontiguousarray(image[..., part]))
            resized[number, ..., part] = np.asarray(picture.resize(size[::-1], _RESAMPLING[resample]))
        if images.dtype != np.uint8:  # bicubic goes beyond the ends, as bytes cannot
            np.clip(resized[number], image.min(), image.max(), out=resized[number])
    return resized


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
