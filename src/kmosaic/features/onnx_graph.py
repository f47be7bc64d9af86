"""What the first nodes of an ONNX graph say of the image it takes: its channels, and its values' range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# More than any exporter puts before the first convolution.
_MAX_NODES = 16
# Larger ones are weights, and nothing that is taken from every pixel.
_MAX_CONSTANT = 4096
_PASSED = ("Cast", "Identity", "Pad", "Resize", "Clip", "DequantizeLinear")
_NHWC_TO_NCHW, _NCHW_TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
# Per channel: the mean and the deviation of values from 0 to 1.
_KNOWN = (
    ((0.0,), (1.0,)),
    ((0.5,), (0.5,)),
    ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
)


@dataclass(frozen=True)
class GraphStatement:
    """What was found; None where the graph does not say.

    ``channels_first`` is whether images are (channels, height, width), ``channels`` their number. Values go
    from 0 to ``high`` before they are normalised by ``mean`` and ``deviation``, as far as these are not in
    the graph.
    """

    channels_first: bool | None = None
    channels: int | None = None
    high: float | None = None
    mean: tuple[float, ...] = (0.0,)
    deviation: tuple[float, ...] = (1.0,)


def read_graph(data: bytes) -> GraphStatement:
    """Follow the image that a model takes to its first convolution, or as far as the way is one.

    Numbers that are taken from the values, or that these are multiplied by, tell their range: what is divided
    by about 127 or 255 goes to 255, and what is divided by 0.2 or not at all, to 1. So does a first node that
    quantises, by the values it can hold. Without the library onnx nothing is found.
    """
    try:
        import onnx
    except ImportError:
        return GraphStatement()
    try:
        graph = onnx.load_model_from_string(data).graph
    except Exception:  # what onnxruntime reads and onnx does not, says nothing
        return GraphStatement()
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [given.name for given in graph.input if given.name not in weights]
    return _Reader(graph).read(inputs[0]) if len(inputs) == 1 else GraphStatement()


class _Reader:
    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self._as_array = numpy_helper.to_array
        self._initial = {tensor.name: tensor for tensor in graph.initializer}
        self._made = {node.output[0]: node for node in graph.node if node.op_type == "Constant"}
        self._takers: dict[str, list[Any]] = {}
        for node in graph.node:
            for taken in node.input:
                self._takers.setdefault(taken, []).append(node)

    def read(self, name: str) -> GraphStatement:
        first, channels, high = None, None, None
        factor, offset, changed = np.ones(1), np.zeros(1), False
        mean: tuple[float, ...] = (0.0,)
        deviation: tuple[float, ...] = (1.0,)
        for node, taken in self._way(name):
            if node.op_type == "Transpose":
                first = _channels_first(node, first)
            elif node.op_type in ("Conv", "QLinearConv"):
                first = True if first is None else first
                channels = self._channels(node)
            elif node.op_type == "QuantizeLinear" and not changed:
                high, mean, deviation = self._quantised(node)
            elif node.op_type in ("Add", "Sub", "Mul", "Div"):
                number = self._other(node, taken)
                if number is None or (node.op_type in ("Sub", "Div") and node.input[0] != taken):
                    break
                factor, offset, changed = *_applied(node.op_type, number, factor, offset), True
        if changed:
            high = _range_of(factor, offset)
        return GraphStatement(first, channels, high, mean, deviation)

    def _way(self, name: str) -> Iterator[tuple[Any, str]]:
        """The nodes that a value goes through, as long as it goes through one; the last may be any."""
        for _ in range(_MAX_NODES):
            takers = self._takers.get(name, [])
            if len(takers) != 1:
                return
            (node,) = takers
            yield node, name
            going_on = (*_PASSED, "Transpose", "QuantizeLinear", "Add", "Sub", "Mul", "Div")
            if node.op_type not in going_on:
                return
            name = node.output[0]

    def _other(self, node: Any, taken: str) -> NDArray[np.float64] | None:
        names = [name for name in node.input if name != taken]
        return self._constant(names[0]) if len(names) == 1 else None

    def _constant(self, name: str) -> NDArray[np.float64] | None:
        tensor = self._initial.get(name)
        if tensor is None and name in self._made:
            tensor = next((part.t for part in self._made[name].attribute if part.name == "value"), None)
        if tensor is None or int(np.prod(tensor.dims, dtype=np.float64)) > _MAX_CONSTANT:
            return None
        values = np.asarray(self._as_array(tensor), np.float64).ravel()
        return values if len(values) in (1, 3) and np.isfinite(values).all() else None

    def _channels(self, node: Any) -> int | None:
        weights = self._initial.get(node.input[1 if node.op_type == "Conv" else 3])
        groups = next((part.i for part in node.attribute if part.name == "group"), 1)
        return int(weights.dims[1]) * int(groups) if weights is not None and len(weights.dims) == 4 else None

    def _quantised(self, node: Any) -> tuple[float | None, tuple[float, ...], tuple[float, ...]]:
        """The range and the normalisation whose values a quantised input holds, none to spare."""
        scale = self._constant(node.input[1])
        tensor = self._initial.get(node.input[2]) if len(node.input) > 2 else None
        zero = np.zeros(1, np.uint8) if tensor is None else self._as_array(tensor)
        if scale is None or zero.dtype not in (np.uint8, np.int8) or zero.size != 1:
            return None, (0.0,), (1.0,)
        ends = np.iinfo(zero.dtype)
        held = (np.array([ends.min, ends.max], np.float64) - float(zero.ravel()[0])) * float(scale[0])
        for high in (1.0, 255.0):
            for mean, deviation in _KNOWN if high == 1.0 else _KNOWN[:1]:
                m, d = np.array(mean), np.array(deviation)
                wanted = np.array([((0 - m) / d).min(), ((high - m) / d).max()])
                if np.abs(held - wanted).max() <= 0.03 * np.ptp(wanted):
                    return high, mean, deviation
        return None, (0.0,), (1.0,)


def _channels_first(node: Any, known: bool | None) -> bool | None:
    order = next((list(part.ints) for part in node.attribute if part.name == "perm"), [])
    if known is None and order == _NHWC_TO_NCHW:
        return False
    return True if known is None and order == _NCHW_TO_NHWC else known


def _applied(
    kind: str, number: NDArray[np.float64], factor: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What becomes of ``factor * x + offset``."""
    if kind == "Div":
        number = 1 / np.where(number == 0, np.inf, number)
    if kind in ("Mul", "Div"):
        return factor * number, offset * number
    return factor, offset + (number if kind == "Add" else -number)


def _range_of(factor: NDArray[np.float64], offset: NDArray[np.float64]) -> float | None:
    """255 or 1: what values go to that become small numbers around 0; None where neither does."""
    largest, moved = float(np.abs(factor).max()), float(np.abs(offset).max())
    if largest == 1 and moved:
        return 255.0 if moved > 2 else 1.0
    if 1e-3 <= largest <= 0.1:
        return 255.0
    return 1.0 if 0.5 <= largest <= 20 else None
