"""IDX files: what is written is read, and nothing else but DataError comes of damaged ones."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmosaic.errors import DataError
from kmosaic.images import memory_check, read_idx

DTYPES = (np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64)
ARRAYS = hnp.arrays(st.sampled_from(DTYPES), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
SMALL = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SMALL
@given(array=ARRAYS, packed=st.booleans())
def test_what_is_written_is_read(
    array: Any, packed: bool, idx_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    content = idx_bytes(array)
    path = tmp_path / "some.idx"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = read_idx(path, checksum=f"sha256:{hashlib.sha256(content).hexdigest()}")
    np.testing.assert_array_equal(found, array, strict=True)


@settings(SMALL, max_examples=300)
@given(data=st.data())
def test_a_changed_byte_gives_data_error_or_an_array_of_the_same_length(
    data: st.DataObject, idx_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    content = idx_bytes(np.arange(24, dtype=np.uint8).reshape(4, 3, 2))
    packed = data.draw(st.booleans())
    whole = bytearray(gzip.compress(content) if packed else content)
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "changed.idx"
    path.write_bytes(whole)
    try:
        found = read_idx(path, checksum=f"md5:{hashlib.md5(content).hexdigest()}")
    except DataError:
        return
    # Some bits of a gzip file (time, system, what pads a byte) mean nothing; the content is what it was.
    assert packed
    np.testing.assert_array_equal(found, np.arange(24, dtype=np.uint8).reshape(4, 3, 2), strict=True)


@SMALL
@given(noise=st.binary(max_size=200), start=st.sampled_from([b"", b"\0\0\x08\x03", b"\x1f\x8b\x08\0"]))
def test_noise_gives_data_error_or_an_array(noise: bytes, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "noise.idx"
    path.write_bytes(start + noise)
    try:
        found = read_idx(path)
    except DataError:
        return
    assert found.nbytes < len(start + noise)


def test_truncated_at(idx_bytes: Callable[..., bytes], tmp_path: Path) -> None:
    for packed, length in product([False, True], [0, 1, 3, 4, 10, 16, 39]):
        content = idx_bytes(np.arange(24, dtype=np.uint8).reshape(4, 3, 2))[:length]
        path = tmp_path / "short"
        path.write_bytes(gzip.compress(content) if packed else content)
        with pytest.raises(DataError, match=r"truncated|no IDX file"):
            read_idx(path)


def test_gzip_cut_off(idx_bytes: Callable[..., bytes], tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    whole = gzip.compress(idx_bytes(generator.integers(0, 255, (30, 8, 8), dtype=np.uint8)))
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated gzip"):
        read_idx(path)


def test_gzip_with_a_wrong_crc(idx_bytes: Callable[..., bytes], tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(idx_bytes(np.zeros((3, 2, 2), np.uint8))))
    whole[-8] ^= 1
    path = tmp_path / "crc.gz"
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged gzip"):
        read_idx(path)


def test_more_than_the_header_states(idx_bytes: Callable[..., bytes], tmp_path: Path) -> None:
    for packed in [False, True]:
        content = idx_bytes(np.zeros((3, 2, 2), np.uint8)) + b"more"
        path = tmp_path / "long"
        path.write_bytes(gzip.compress(content) if packed else content)
        with pytest.raises(DataError, match="goes on after"):
            read_idx(path)


def test_a_gzip_bomb_is_not_unpacked_past_its_header(
    idx_bytes: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpacked = 0
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal unpacked
        chunk = read(self, size)
        unpacked += len(chunk)
        return chunk

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((3, 2, 2), np.uint8)) + bytes(50_000_000)))
    with pytest.raises(DataError, match="goes on after"):
        read_idx(path)
    assert unpacked < 100


def test_a_header_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    for sides in [(0xFFFFFFFF,) * 3, (60_000, 28, 28), (0xFFFFFFFF, 0, 0xFFFFFFFF)]:
        path = tmp_path / "claims"
        for content in (struct.pack(">4B3I", 0, 0, 8, 3, *sides),):
            for written in (content, gzip.compress(content)):
                path.write_bytes(written)
                with pytest.raises(DataError, match=r"more than|no IDX"):
                    read_idx(path)


def test_a_file_larger_than_memory(
    idx_bytes: Callable[..., bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Little:
        available = 10

    monkeypatch.setattr(memory_check.psutil, "virtual_memory", Little)
    path = tmp_path / "large"
    path.write_bytes(idx_bytes(np.zeros((3, 2, 2), np.uint8)))
    with pytest.raises(DataError, match="12 bytes.*10 bytes"):
        read_idx(path)


def test_a_wrong_checksum_names_both(idx_bytes: Callable[..., bytes], tmp_path: Path) -> None:
    content = idx_bytes(np.zeros(3, np.uint8))
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"wrong checksum.*{hashlib.md5(content).hexdigest()}.*00ff"):
        read_idx(path, checksum="md5:00ff")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such name")
def test_a_name_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\\x1bb"):
        read_idx(tmp_path / "a\x1bb")
