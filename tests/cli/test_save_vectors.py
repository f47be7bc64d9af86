"""Features of a network are written as they come, and an interrupted command goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from kmosaic.features.onnx_model import ImageModel

onnx = pytest.importorskip("onnx", reason="models are made with onnx: pip install 'kmosaic[test]'")
pytest.importorskip("onnxruntime", reason="models are run by onnxruntime: pip install 'kmosaic[onnx]'")
FIT = ("fit", "digits", "--clusters", "3", "--onnx-mean", "0.5", "--threads", "2", "--quiet")
EXPECTED = (load_digits().data / 16 - 0.5).astype(np.float32)


@pytest.fixture(autouse=True)
def network(folder: Path) -> tuple[str, str]:
    """A network whose embedding of a digit is its pixels."""
    given = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 1, 8, 8])
    found = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([onnx.helper.make_node("Flatten", ["x"], ["y"])], "g", [given], [found])
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "net.onnx")
    return "--features", "onnx:net.onnx"


def interrupted_after(n_blocks: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the network be interrupted at a block; return the list of what was embedded, block by block."""
    real, blocks = ImageModel.embed, []

    def embed(self: ImageModel, images: Any, white: float) -> Any:
        if len(images) > 1:  # one is to find how many numbers an image becomes
            if len(blocks) == n_blocks:
                raise KeyboardInterrupt
            blocks.append(len(images))
        return real(self, images, white)

    monkeypatch.setattr(ImageModel, "embed", embed)
    return blocks


def invoke(*arguments: str) -> Any:
    from click.testing import CliRunner

    from kmosaic.cli import main

    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("name", "dtype"), [("v.npy", "float32"), ("v.npy", "float16"), ("v.npz", "float32")]
)
def test_an_interrupted_command_goes_on(
    run: Any, folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch, name: str, dtype: str
) -> None:
    command = (*FIT, *network, "--save-vectors", name, "--vectors-dtype", dtype)
    with monkeypatch.context() as patched:
        before = interrupted_after(50, patched)
        result = invoke(*command)
    assert result.exit_code == 130
    assert "goes on from there" in result.stderr
    assert not (folder / name).exists()
    with monkeypatch.context() as patched:
        after = interrupted_after(999, patched)
        told = run(*command).stdout
    assert 0 < sum(after) < len(EXPECTED)
    assert sum(before) + sum(after) >= len(EXPECTED)
    assert "were there already" in told
    stored = np.load(folder / name)
    vectors = stored if name == "v.npy" else stored["vectors"]
    assert vectors.dtype == dtype
    assert np.array_equal(vectors, EXPECTED.astype(dtype))
    assert not list(folder.glob("*.part*"))
    if name == "v.npz":
        assert stored["paths"].tolist() == [str(row) for row in range(len(EXPECTED))]


def test_another_network_does_not_go_on(
    fail: Any, run: Any, folder: Path, network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (*FIT, *network, "--save-vectors", "v.npy")
    with monkeypatch.context() as patched:
        interrupted_after(50, patched)
        assert invoke(*command).exit_code == 130
    assert "options" in fail(*command, "--onnx-std", "2")
    assert "already" not in run(*command, "--onnx-std", "2", "--force").stdout
    assert np.array_equal(np.load(folder / "v.npy"), EXPECTED / 2)


def test_features_of_other_kinds_are_saved_whole(run: Any, fail: Any, folder: Path) -> None:
    run(*FIT[:4], "--save-vectors", "v.npy", "--quiet")
    assert np.array_equal(np.load(folder / "v.npy"), load_digits().data)
    assert "--save-vectors" in fail(*FIT[:4], "-o", "m.kmosaic", "--vectors-dtype", "float16", code=2)
    assert "v.txt" in fail(*FIT[:4], "--save-vectors", "v.txt")
