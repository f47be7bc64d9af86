"""Chunks of Dask arrays that are not what the array declares are errors that name the chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.scenes import segment
from kmosaic.scenes.io.array_scene import as_scene
from scene_files import patches

dask_array = pytest.importorskip("dask.array", reason="dask is not installed")

BANDS = np.ascontiguousarray(np.moveaxis(patches(60, 50), 2, 0))
Change = Callable[[NDArray[Any]], NDArray[Any]]


def taller(chunk: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([chunk, chunk[:, :1]], axis=1)


def shorter(chunk: NDArray[Any]) -> NDArray[Any]:
    return chunk[:, 1:]


def wider(chunk: NDArray[Any]) -> NDArray[Any]:
    return chunk.astype(np.uint16) + 256


def lazy(changes: dict[int, Change]) -> Any:
    """The bands in six chunks of ten lines, of which those at these places along the lines are changed."""

    def block(chunk: NDArray[Any], block_info: Any = None) -> NDArray[Any]:
        place = block_info[0]["chunk-location"][1]
        return changes[place](chunk) if place in changes else chunk

    whole = dask_array.from_array(BANDS, chunks=(3, 10, 50))
    return whole.map_blocks(block, dtype=BANDS.dtype, meta=whole._meta)


def test_a_chunk_that_is_not_what_is_declared_is_named() -> None:
    cases: list[tuple[dict[int, Change], str]] = [
        ({3: taller}, r"chunk \(0, 3, 0\) .* uint8 of shape \(3, 11, 50\)"),
        ({3: shorter}, r"chunk \(0, 3, 0\) .* uint8 of shape \(3, 9, 50\)"),
        ({3: wider}, r"chunk \(0, 3, 0\) .* uint16 of shape \(3, 10, 50\)"),
        ({4: shorter, 5: taller}, r"chunk \(0, [45], 0\)"),
    ]
    for changes, found in cases:
        with pytest.raises(DataError, match=found):
            segment(lazy(changes), 3)
        with pytest.raises(DataError, match=found), as_scene(lazy(changes)) as scene:  # type: ignore[attr-defined]
            scene.read(0, 60)


def test_a_chunk_of_a_labelled_array_is_named_too() -> None:
    array = pytest.importorskip("xarray").DataArray(lazy({3: taller}), dims=("band", "y", "x"))
    with pytest.raises(DataError, match=r"chunk \(0, 3, 0\)"):
        segment(array, 3)


def test_sound_chunks_make_the_map_of_the_array() -> None:
    expected, labels = segment(BANDS, 3).labels, segment(lazy({}), 3).labels
    assert expected is not None
    assert labels is not None
    assert (labels == expected).all()


def test_a_cluster_names_the_chunk_too(dask_client: Any) -> None:
    with pytest.raises(DataError, match=r"chunk \(0, 3, 0\)"):
        segment(lazy({3: taller}), 3, dask=dask_client)


def test_chunks_of_unknown_sizes_are_refused() -> None:
    whole = dask_array.from_array(BANDS, chunks=(3, 10, 50))
    unknown = whole[:, dask_array.from_array(np.arange(60) < 30, chunks=10)]
    with pytest.raises(DataError, match="compute_chunk_sizes"):
        as_scene(unknown)
