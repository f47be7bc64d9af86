"""Embeddings by small models made here."""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.utils.estimator_checks import check_estimator

from kmosaic import MissingLibraryError
from kmosaic.errors import DataError
from kmosaic.features import OnnxEmbedding

onnx = pytest.importorskip("onnx", reason="models are made with onnx: pip install 'kmosaic[test]'")
pytest.importorskip("onnxruntime", reason="models are run by onnxruntime: pip install 'kmosaic[onnx]'")
FLOAT, BYTES = onnx.TensorProto.FLOAT, onnx.TensorProto.UINT8


def save(path: Path, shape: list[Any], nodes: list[Any], **options: Any) -> str:
    """Write a model of one input ``x`` and one output ``y``."""
    given = onnx.helper.make_tensor_value_info("x", options.get("dtype", FLOAT), shape)
    found = onnx.helper.make_tensor_value_info("y", FLOAT, None)
    graph = onnx.helper.make_graph(nodes, "small", [given], [found], options.get("weights", []))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.helper.set_model_props(model, options.get("metadata", {}))
    onnx.save(model, str(path))
    return str(path)


def means(path: Path, shape: list[Any], **options: Any) -> str:
    """A model whose embedding is the mean of each channel."""
    nodes = [onnx.helper.make_node("ReduceMean", ["x"], ["y"], axes=options.pop("axes", [2, 3]), keepdims=0)]
    return save(path, shape, nodes, **options)


def network(path: Path) -> str:
    """A convolution of 3 channels to 5, with weights, then the maps themselves."""
    values = np.random.default_rng(0).normal(size=(5, 3, 3, 3)).astype(np.float32)
    weights = [onnx.numpy_helper.from_array(values, "w")]
    return save(path, ["n", 3, 8, 8], [onnx.helper.make_node("Conv", ["x", "w"], ["y"])], weights=weights)


# One test: the file's name would be part of the tests', which every process of the suite has to name alike.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_estimator_checks(tmp_path: Path) -> None:
    results = check_estimator(OnnxEmbedding(means(tmp_path / "m.onnx", ["n", 3, 4, 4])))
    assert len(results) > 30


@pytest.fixture
def colour() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (70, 8 * 8 * 3), dtype=np.uint8)


def channel_means(rows: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(rows.reshape(len(rows), 64, 3).mean(axis=1))


def test_layout_size_and_batch_are_read_from_the_model(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    for shape, axes in [(["n", 3, 8, 8], [2, 3]), (["n", 8, 8, 3], [1, 2]), ([16, 3, 8, 8], [2, 3])]:
        file = means(tmp_path / "m.onnx", shape, axes=axes)
        seen: list[tuple[int, int]] = []
        embedding = OnnxEmbedding(file, image_shape=(8, 8, 3))
        embedding.set_params(callback=lambda *told, seen=seen: seen.append(told))
        out = embedding.fit_transform(colour)
        assert out.dtype == np.float32
        assert out == pytest.approx(channel_means(colour / 255), rel=1e-4)
        assert seen[-1] == (70, 70)
        assert embedding.get_feature_names_out().tolist() == [f"onnxembedding{i}" for i in range(3)]


def test_what_the_metadata_says(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    metadata = {"mean": "[0.5, 0.25, 0.125]", "std": "0.5,0.25,2", "Image.BitmapPixelFormat": "Bgr8"}
    file = means(tmp_path / "m.onnx", ["n", 3, 8, 8], metadata=metadata)
    out = OnnxEmbedding(file, image_shape=(8, 8, 3)).fit_transform(colour)
    expected = (channel_means(colour / 255) - [0.5, 0.25, 0.125]) / [0.5, 0.25, 2]
    assert out == pytest.approx(expected[:, ::-1], rel=1e-4)
    given = OnnxEmbedding(file, mean=(0.0,), deviation=(1.0,), image_shape=(8, 8, 3)).fit_transform(colour)
    assert given == pytest.approx(channel_means(colour / 255)[:, ::-1], rel=1e-4)


def test_the_range_of_pixels(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    for values, low, high in [
        ("NominalRange_0_255", 0, 255),
        ("Normalized_0_1", 0, 1),
        ("Normalized_1_1", -1, 1),
    ]:
        file = means(tmp_path / "m.onnx", ["n", 3, 8, 8], metadata={"Image.NominalPixelRange": values})
        out = OnnxEmbedding(file, image_shape=(8, 8, 3)).fit_transform(colour)
        assert out == pytest.approx(low + channel_means(colour / 255) * (high - low), rel=1e-4, abs=1e-5)


def test_models_of_bytes(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    nodes = [
        onnx.helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
        onnx.helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2], keepdims=0),
    ]
    file = save(tmp_path / "m.onnx", ["n", 8, 8, 3], nodes, dtype=BYTES)
    out = OnnxEmbedding(file, image_shape=(8, 8, 3)).fit_transform(colour)
    assert out == pytest.approx(channel_means(colour), rel=1e-5)


def test_white_is_white(tmp_path: Path) -> None:
    for dtype, white in [("uint16", None), ("float64", None), ("uint8", 16.0)]:
        full = {"uint16": 65535, "float64": 1.0, "uint8": 16}[dtype]
        X = np.full((3, 64), full, dtype)
        file = means(tmp_path / "m.onnx", ["n", 1, 8, 8])
        assert OnnxEmbedding(file, white=white).fit_transform(X) == pytest.approx(np.ones((3, 1)))


def test_other_sizes_and_channels_are_brought_to_the_models(tmp_path: Path) -> None:
    file = means(tmp_path / "m.onnx", ["n", 3, 4, 6])
    grey = np.full((2, 30 * 20), 51, np.uint8)
    out = OnnxEmbedding(file, image_shape=(30, 20, 1)).fit_transform(grey)
    assert out == pytest.approx(np.full((2, 3), 0.2), rel=1e-5)
    one = means(tmp_path / "one.onnx", ["n", 1, 4, 4])
    red = np.tile(np.array([255, 0, 0], np.uint8), 16)[None]
    assert OnnxEmbedding(one, image_shape=(4, 4, 3)).fit_transform(red) == pytest.approx(0.299)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
def test_bytes_are_resized_as_pictures(tmp_path: Path, colour: NDArray[np.uint8], resample: str) -> None:
    """To the bit what Pillow makes of the picture, as networks are trained; floats differ by its rounding."""
    nodes = [onnx.helper.make_node("Flatten", ["x"], ["y"])]
    file = save(tmp_path / "m.onnx", ["n", 12, 11, 3], nodes)
    options: dict[str, Any] = {
        "image_shape": (8, 8, 3),
        "mean": (127,),
        "deviation": (128,),
        "layout": "NHWC",
    }
    out = OnnxEmbedding(file, resample=resample, **options).fit_transform(colour[:3])
    pictures = [Image.fromarray(row.reshape(8, 8, 3)) for row in colour[:3]]
    kind = Image.Resampling[resample.upper()]
    expected = np.array([np.asarray(p.resize((11, 12), kind), np.float32).ravel() for p in pictures])
    assert out == pytest.approx((expected - 127) / 128, abs=1e-6)
    floats = OnnxEmbedding(file, resample=resample, **options).fit_transform(colour[:3] / 255)
    assert np.abs(floats - out).mean() < 0.01
    assert floats.max() <= (255 - 127) / 128 + 1e-6


def test_any_size_is_the_images_own_or_the_one_given(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Flatten", ["x"], ["y"])]
    file = save(tmp_path / "m.onnx", ["n", 1, "height", "width"], nodes)
    X = np.random.default_rng(0).random((5, 12))
    own = OnnxEmbedding(file, image_shape=(3, 4, 1)).fit_transform(X)
    assert own == pytest.approx(X, rel=1e-5)
    assert OnnxEmbedding(file, image_shape=(3, 4, 1), input_size=(2, 2)).fit_transform(X).shape == (5, 4)


def test_maps_are_averaged_over_places_and_threads_change_no_bit(
    tmp_path: Path, colour: NDArray[np.uint8]
) -> None:
    file = network(tmp_path / "m.onnx")
    one = OnnxEmbedding(file, batch_size=7, n_threads=1, image_shape=(8, 8, 3)).fit_transform(colour)
    three = OnnxEmbedding(file, batch_size=7, n_threads=3, image_shape=(8, 8, 3)).fit_transform(colour)
    assert one.shape == (70, 5)
    assert one.tobytes() == three.tobytes()


def test_another_file_than_the_one_fitted_with(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    file = network(tmp_path / "m.onnx")
    fitted = OnnxEmbedding(file, image_shape=(8, 8, 3)).fit(colour)
    assert fitted.digest_.tobytes() == hashlib.sha256(Path(file).read_bytes()).digest()
    restored = OnnxEmbedding.from_state(fitted.parameters(), fitted.state())
    assert restored.transform(colour).tobytes() == fitted.transform(colour).tobytes()
    means(tmp_path / "m.onnx", ["n", 3, 8, 8])
    with pytest.raises(DataError, match=r"m\.onnx.*fitted"):
        restored.transform(colour)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    for content, message in [
        (b"", "has 0 bytes"),
        (b"\x08\x01 no model", "ONNX model"),
        (b"PK\x03\x04" + bytes(100), "ONNX model"),
    ]:
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(DataError, match=message):
            OnnxEmbedding(str(tmp_path / "m.onnx")).fit(np.zeros((2, 16)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.onnx.*No such file"):
        OnnxEmbedding(str(tmp_path / "none.onnx")).fit(np.zeros((2, 16)))
    with pytest.raises(DataError, match="plain file"):
        OnnxEmbedding(str(tmp_path)).fit(np.zeros((2, 16)))
    with (tmp_path / "huge.onnx").open("wb") as stream:
        os.truncate(stream.fileno(), 1 << 31)
    with pytest.raises(DataError, match="2,147,483,648 bytes.*2 GiB"):
        OnnxEmbedding(str(tmp_path / "huge.onnx")).fit(np.zeros((2, 16)))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "m.onnx"))
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(model, str(tmp_path / "outside.onnx"), **options)
    with pytest.raises(DataError, match="weights.*files"):
        OnnxEmbedding(str(tmp_path / "outside.onnx"), image_shape=(4, 4, 1)).fit(np.zeros((2, 16)))


def test_metadata_may_be_called_location(tmp_path: Path) -> None:
    model = onnx.load(network(tmp_path / "m.onnx"))
    for value in ("Leeds", "x" * 300):
        del model.metadata_props[:]
        model.metadata_props.add(key="location", value=value)
        onnx.save(model, str(tmp_path / "told.onnx"))
        OnnxEmbedding(str(tmp_path / "told.onnx"), image_shape=(4, 4, 1)).fit(np.zeros((2, 16)))


def first_nodes(kind: str) -> tuple[list[Any], dict[str, Any]]:
    """The nodes that networks of this kind begin with, from ``x`` to ``f``, and their constants."""
    make, mean, deviation = onnx.helper.make_node, np.array([0.485, 0.456, 0.406]), [0.229, 0.224, 0.225]
    channel = {"mean": mean.reshape(3, 1, 1), "deviation": np.reshape(deviation, (3, 1, 1))}
    if kind == "mean of values to 255":
        nodes = [make("Sub", ["x", "mean"], ["a"]), make("Div", ["a", "deviation"], ["f"])]
        return nodes, {name: 255 * value for name, value in channel.items()}
    if kind == "mean of values to 1":
        nodes = [make("Identity", ["x"], ["i"]), make("Sub", ["i", "mean"], ["a"])]
        return [*nodes, make("Div", ["a", "deviation"], ["f"])], channel
    if kind == "over 255, channels last":
        nodes = [make("Mul", ["x", "by"], ["a"]), make("Transpose", ["a"], ["f"], perm=[0, 3, 1, 2])]
        return nodes, {"by": np.array(1 / 255)}
    if kind == "less the mean alone":
        return [make("Sub", ["x", "mean"], ["f"])], {"mean": np.array(127.0)}
    scale = {"quantised to 1": 1 / 255, "quantised ImageNet": 4.758 / 255}[kind]
    nodes = [make("QuantizeLinear", ["x", "s", "z"], ["q"]), make("DequantizeLinear", ["q", "s", "z"], ["f"])]
    return nodes, {"s": np.array(scale), "z": np.uint8(round(2.118 / scale) if "Image" in kind else 0)}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("mean of values to 255", lambda x: (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("mean of values to 1", lambda x: (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("over 255, channels last", lambda x: x),
        ("less the mean alone", lambda x: 255 * x - 127),
        ("quantised to 1", lambda x: x),
        ("quantised ImageNet", lambda x: (x - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
    ],
)
def test_range_and_layout_are_read_from_the_first_nodes(
    tmp_path: Path, colour: NDArray[np.uint8], kind: str, values: Any
) -> None:
    """The input states no sizes; the convolution that follows passes the channels on as they are."""
    nodes, constants = first_nodes(kind)
    same = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    weights = [onnx.numpy_helper.from_array(same, "w")] + [
        onnx.numpy_helper.from_array(np.asarray(value, None if name == "z" else np.float32), name)
        for name, value in constants.items()
    ]
    nodes.append(onnx.helper.make_node("Conv", ["f", "w"], ["maps"]))
    nodes.append(onnx.helper.make_node("ReduceMean", ["maps"], ["y"], axes=[2, 3], keepdims=0))
    file = save(tmp_path / "m.onnx", ["n", "a", "b", "c"], nodes, weights=weights)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = OnnxEmbedding(file, image_shape=(8, 8, 3)).fit_transform(colour)
    assert out == pytest.approx(channel_means(values(colour.reshape(-1, 64, 3) / 255)), abs=0.02)
    (warning,) = [str(w.message) for w in caught]
    assert "8 x 8" in warning
    assert "normalisation" not in warning


def test_numbers_above_two_are_of_values_to_255(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    for metadata, given in [({}, {"mean": (127,), "deviation": (128,)}), ({"mean": "127", "std": "128"}, {})]:
        file = means(tmp_path / "m.onnx", ["n", 3, 8, 8], metadata=metadata)
        out = OnnxEmbedding(file, image_shape=(8, 8, 3), **given).fit_transform(colour)
        assert out == pytest.approx((channel_means(colour) - 127) / 128, abs=1e-5)


def test_one_of_several_outputs(tmp_path: Path, colour: NDArray[np.uint8]) -> None:
    model = onnx.load(means(tmp_path / "m.onnx", ["n", 3, 8, 8]))
    model.graph.node.append(onnx.helper.make_node("Neg", ["y"], ["z"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", FLOAT, None))
    onnx.save(model, tmp_path / "m.onnx")
    options: dict[str, Any] = {"image_shape": (8, 8, 3), "mean": (0.0,)}
    with pytest.warns(UserWarning, match="outputs y, z"):
        first = OnnxEmbedding(str(tmp_path / "m.onnx"), **options).fit_transform(colour)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = OnnxEmbedding(str(tmp_path / "m.onnx"), output="z", **options).fit_transform(colour)
    assert (second == -first).all()


def test_a_real_network_gives_the_embeddings_that_others_made_of_it(shared_data: Path) -> None:
    folder, file = shared_data / "cifar10", shared_data.parent / "models" / "efficientnet-lite0.onnx"
    if not folder.is_dir() or not file.is_file():
        pytest.skip("no cifar10 with embeddings, or no efficientnet-lite0.onnx beside the data")
    rows = range(0, 10_000, 1999)
    names = (folder / "files.txt").read_text().split()
    images = np.stack([np.asarray(Image.open(folder / names[row])).ravel() for row in rows])
    wanted = np.load(folder / "efficientnet-lite0-embeddings.npy", mmap_mode="r")[list(rows)]
    options: dict[str, Any] = {"mean": (127,), "deviation": (128,), "resample": "bicubic"}
    out = OnnxEmbedding(str(file), image_shape=(32, 32, 3), **options).fit_transform(images)
    assert out == pytest.approx(wanted.astype(np.float32), abs=0.01)


def test_models_of_text(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Cast", ["x"], ["y"], to=FLOAT)
    file = save(tmp_path / "m.onnx", ["n", "length"], [node], dtype=onnx.TensorProto.INT64)
    with pytest.raises(DataError, match="takes text"):
        OnnxEmbedding(file).fit(np.zeros((2, 16)))


def test_models_that_take_no_images(tmp_path: Path) -> None:
    for shape, message in [
        (["n", 16], "one batch"),
        (["n", 5, 8, 8], "channels"),
        (["n", 3, 3, 3], "channels"),
        (["n", 3, 8000, 8], "4096 pixels"),
    ]:
        file = save(tmp_path / "m.onnx", shape, [onnx.helper.make_node("Flatten", ["x"], ["y"])])
        with pytest.raises(DataError, match=message):
            OnnxEmbedding(file).fit(np.zeros((2, 16)))


def test_a_layout_that_cannot_be_told_may_be_given(tmp_path: Path) -> None:
    file = save(tmp_path / "m.onnx", ["n", 3, 3, 3], [onnx.helper.make_node("Flatten", ["x"], ["y"])])
    X = np.arange(27.0)[None] / 27
    last = OnnxEmbedding(file, layout="NHWC", image_shape=(3, 3, 3)).fit_transform(X)
    assert last == pytest.approx(X, rel=1e-6)


def test_metadata_that_cannot_be_used(tmp_path: Path) -> None:
    for value in ["none", "[1, 2]", "[" * 9999, "[NaN, 1, 1]"]:
        file = means(tmp_path / "m.onnx", ["n", 3, 8, 8], metadata={"mean": value})
        with pytest.raises(DataError, match=r"channel.*OnnxEmbedding\(mean="):
            OnnxEmbedding(file).fit(np.zeros((2, 64)))


def test_outputs_that_are_no_embedding(tmp_path: Path) -> None:
    node = onnx.helper.make_node("ReduceMean", ["x"], ["y"], keepdims=0)
    file = save(tmp_path / "scalar.onnx", ["n", 3, 8, 8], [node])
    with pytest.raises(DataError, match="floats"):
        OnnxEmbedding(file).fit(np.zeros((2, 64)))
    with pytest.raises(DataError, match="'z'"):
        OnnxEmbedding(file, output="z").fit(np.zeros((2, 64)))
    file = save(tmp_path / "log.onnx", ["n", 1, 8, 8], [onnx.helper.make_node("Log", ["x"], ["y"])])
    with pytest.raises(DataError, match="NaN"):
        OnnxEmbedding(file).fit(np.zeros((2, 64)))


def test_parameters_out_of_range_are_refused() -> None:
    for options, message in [
        ({"layout": "CHW"}, "layout='CHW'.*NCHW.*NHWC"),
        ({"input_size": 8}, "input_size=8"),
        ({"mean": (1.0, 2.0)}, "each channel"),
        ({"deviation": (0.0,)}, "deviation=0.0.*1e-06"),
        ({"white": 0}, "white=0"),
        ({"batch_size": 0}, "batch_size=0.*1"),
    ]:
        with pytest.raises(ValueError, match=message):
            OnnxEmbedding("m.onnx", **options).fit(np.zeros((2, 16)))


def test_without_onnxruntime_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = means(tmp_path / "m.onnx", ["n", 3, 8, 8])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingLibraryError, match="pip install onnxruntime"):
        OnnxEmbedding(file).fit(np.zeros((2, 64)))


class TestNormalisation:
    @pytest.mark.parametrize(
        ("metadata", "given", "warned"),
        [
            ({}, {}, True),
            ({}, {"mean": (0.0,)}, False),
            ({"std": "0.5"}, {}, False),
            ({"Image.NominalPixelRange": "Normalized_0_1"}, {}, False),
        ],
    )
    def test_a_network_that_states_none_is_told(
        self, tmp_path: Path, colour: NDArray[np.uint8], metadata: Any, given: Any, warned: bool
    ) -> None:
        file = means(tmp_path / "m.onnx", ["n", 3, 8, 8], metadata=metadata)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            OnnxEmbedding(file, image_shape=(8, 8, 3), **given).fit(colour).transform(colour)
        assert [("--onnx-mean" in str(warning.message)) for warning in caught] == [True] * warned

    def test_numbers_have_to_be_one_a_channel(self, tmp_path: Path) -> None:
        grey = means(tmp_path / "m.onnx", ["n", 1, 8, 8])
        with pytest.raises(DataError, match="each of the 1 channels"):
            OnnxEmbedding(grey, mean=(0.5, 0.5, 0.5)).fit(np.zeros((2, 64), np.uint8))

    def test_a_network_of_bytes_takes_none(self, tmp_path: Path) -> None:
        nodes = [
            onnx.helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
            onnx.helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2], keepdims=0),
        ]
        file = save(tmp_path / "m.onnx", ["n", 8, 8, 3], nodes, dtype=BYTES)
        with pytest.raises(DataError, match="takes bytes.*leave deviation out"):
            OnnxEmbedding(file, deviation=(0.5,), image_shape=(8, 8, 3)).fit(np.zeros((2, 192), np.uint8))
