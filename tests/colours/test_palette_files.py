"""Palettes: their files, hostile ones too, names and contrasts."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmosaic import DataError, OutputError
from kmosaic.colours import Palette

COLOURS = [[255, 0, 0], [12, 34, 56], [250, 250, 255], [0, 0, 0]]
SUFFIXES = [".gpl", ".ase", ".aco", ".json", ".css", ".hex", ".txt", ".png"]


def test_written_and_read_again(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = Palette(COLOURS, names=("red", "deep blue", "paper", "ink")).save(tmp_path / f"p{suffix}")
        again = Palette.read(path)
        assert again.colors[:, :3].tolist() == COLOURS
        if suffix in (".gpl", ".ase", ".aco", ".json"):
            assert again.names == ("red", "deep blue", "paper", "ink")
        with pytest.raises(OutputError, match="exists"):
            again.save(path)


def test_a_palette_of_256_is_read_and_one_of_300_is_refused(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        random = np.random.default_rng(0)
        colours = np.unique(random.integers(0, 256, (400, 3)), axis=0)[:300]
        path = Palette(colours[:256]).save(tmp_path / f"p{suffix}")
        assert (Palette.read(path).colors[:, :3] == colours[:256]).all()
        large = tmp_path / f"large{suffix}"
        large.write_bytes(of_300(suffix, colours))
        with pytest.raises(DataError, match="300 colours.*from 1 to 256"):
            Palette.read(large)


def of_300(suffix: str, colours: np.ndarray) -> bytes:
    """What `Palette` would not write."""
    codes = [bytes(color.astype(np.uint8)).hex() for color in colours]
    if suffix == ".gpl":
        return ("GIMP Palette\n" + "\n".join(" ".join(map(str, color)) for color in colours)).encode()
    if suffix == ".ase":
        body = b"".join(
            struct.pack(">HI", 1, 22)
            + struct.pack(">HH", 1, 0)
            + b"RGB "
            + struct.pack(">3fH", *color / 255, 2)
            for color in colours
        )
        return b"ASEF" + struct.pack(">HHI", 1, 0, len(colours)) + body
    if suffix == ".aco":
        values = b"".join(struct.pack(">5H", 0, *(int(v) * 257 for v in color), 0) for color in colours)
        return struct.pack(">HH", 1, len(colours)) + values
    if suffix == ".json":
        return ("[" + ",".join(f'"#{code}"' for code in codes) + "]").encode()
    if suffix == ".css":
        return (":root {" + "".join(f"--c{i}: #{code};\n" for i, code in enumerate(codes)) + "}").encode()
    if suffix == ".png":
        buffer = io.BytesIO()
        Image.fromarray(colours.astype(np.uint8)[np.newaxis]).save(buffer, "PNG")
        return buffer.getvalue()
    return "\n".join(codes).encode()


def test_damaged_files_are_one_error(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        whole = Palette(COLOURS).save(tmp_path / f"p{suffix}").read_bytes()
        random = np.random.default_rng(1)
        cases = [b"", b"\0" * 40, b"\xff" * 100, whole[: len(whole) // 2], b"[" * 100_000]
        for _ in range(40):
            broken = bytearray(whole)
            for place in random.integers(0, len(broken), 3):
                broken[place] = random.integers(0, 256)
            cases.append(bytes(broken))
        refused = 0
        for number, content in enumerate(cases):
            path = tmp_path / f"{number}{suffix}"
            path.write_bytes(content)
            try:
                assert 1 <= len(Palette.read(path)) <= 256
            except DataError as error:
                refused += "\n" not in str(error)
        assert refused >= 4


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, content, named in (
        ("none.gpl", b"GIMP Palette\n# none\n", "0 colours"),
        ("p.xyz", b"", "must end in"),
        ("p.json", b'{"colors": [[1, 2, 999]]}', "999"),
        ("digits.json", b'{"colors": [[1, 2, ' + b"9" * 10_000 + b"]]}", "a number of 10,000 digits"),
        ("dashes.css", b"--" * (1 << 19), "0 colours"),  # what is quadratic here does not end
        ("p.css", b"body { color: red }", "0 colours"),
        ("huge.hex", b"#" * (1 << 21), "too large|large"),
        (
            "lab.ase",
            b"ASEF" + struct.pack(">HHI", 1, 0, 1) + struct.pack(">HI", 1, 20) + b"\0\1\0\0LAB " + bytes(12),
            "LAB",
        ),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=named):
            Palette.read(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        Palette.read(tmp_path / "missing.gpl")
    with pytest.raises(OutputError, match="must end in"):
        Palette(COLOURS).save(tmp_path / "p.doc")


def test_other_models_of_adobe_files(tmp_path: Path) -> None:
    body = b"\0\1\0\0CMYK" + struct.pack(">4fH", 0, 1, 1, 0, 2)
    (tmp_path / "p.ase").write_bytes(b"ASEF" + struct.pack(">HHIHI", 1, 0, 1, 1, len(body)) + body)
    assert Palette.read(tmp_path / "p.ase").hex == ("#ff0000",)
    (tmp_path / "p.aco").write_bytes(struct.pack(">HH5H5H", 1, 2, 1, 0, 65535, 65535, 0, 8, 10000, 0, 0, 0))
    assert Palette.read(tmp_path / "p.aco").hex == ("#ff0000", "#000000")


def test_names_and_contrasts() -> None:
    palette = Palette([[0, 128, 129, 255], [255, 255, 255, 0], [0, 0, 0, 255]])
    assert palette.css_names == ("teal", "transparent", "black")
    assert palette.hex[1] == "#00000000"
    ratios = palette.contrast_to([[255, 255, 255]])[:, 0]
    assert ratios == pytest.approx([4.75, 21.0, 21.0], abs=0.05)
    assert (palette.contrast == palette.contrast.T).all()


def test_bad_colours_are_refused() -> None:
    for colors in [[], [[1, 2]], [[1, 2, 300]], [[0.5, 0, 0]], [[0, 0, 0]] * 257]:
        with pytest.raises(DataError, match="palette"):
            Palette(colors)
