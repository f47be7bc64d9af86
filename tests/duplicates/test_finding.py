"""Photos that show the same, beside all pairs measured one by one, and beside hostile folders."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from threadpoolctl import threadpool_limits

from kmosaic.duplicates import LIMIT, FindOptions, find_duplicates, kept, moves
from kmosaic.duplicates.alignment import align, smoothed
from kmosaic.duplicates.candidates import pairs_within
from kmosaic.duplicates.comparison import Comparison
from kmosaic.duplicates.grouping import Candidates, group
from kmosaic.duplicates.thumbnails import read_thumbnails
from kmosaic.errors import DataError

N_PHOTOS = 8
CHANGES = ("jpeg", "half", "crop", "bright")


def photo(seed: int, side: int = 80) -> Image.Image:
    """A picture with the spectrum of photos: the energy of a wave falls with the square of its frequency."""
    rng = np.random.default_rng(seed)
    down, across = np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij")
    fall = 1 / np.maximum(np.hypot(down, across), 1 / side)
    waves = np.fft.fft2(rng.normal(size=(3, side, side))) * fall
    values = np.fft.ifft2(waves).real
    values = 120 + 45 * (values - values.mean()) / values.std()
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def changed(picture: Image.Image, how: str) -> Image.Image:
    side = picture.width
    if how == "jpeg":
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=60)
        return Image.open(stream).convert("RGB")
    if how == "half":
        return picture.resize((side // 2, side // 2), Image.Resampling.BICUBIC)
    if how == "crop":
        return picture.crop((side // 25, 0, side, side - side // 25))
    if how == "mirror":
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ImageEnhance.Brightness(picture).enhance(1.1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos as they are and in every change, in a folder for each."""
    folder = tmp_path_factory.mktemp("photos")
    for how in ("original", *CHANGES, "mirror"):
        (folder / how).mkdir()
        for seed in range(N_PHOTOS):
            picture = photo(seed)
            (picture if how == "original" else changed(picture, how)).save(folder / how / f"{seed:02}.png")
    return folder


def by_name(found: list[str]) -> list[str]:
    return sorted({Path(name).stem for name in found})


def test_groups_are_those_of_all_pairs_measured_one_by_one(photos: Path) -> None:
    images = read_thumbnails(photos)
    first, second = np.triu_indices(len(images), 1)
    pairs = first.astype(np.int32), second.astype(np.int32)
    with threadpool_limits(1):
        measured = Comparison(images, LIMIT).distances(*pairs, np.zeros(len(first), bool))
    linked = {
        (int(a), int(b)) for a, b in zip(first[measured <= LIMIT], second[measured <= LIMIT], strict=True)
    }

    found = find_duplicates(photos)

    assert len(found.groups) == N_PHOTOS
    for one in found.groups:
        names = [images.ids[row] for row in one.rows]
        assert len(names) == 1 + len(CHANGES)
        assert len(by_name(names)) == 1
        for row, distance in zip(one.rows.tolist(), one.distances, strict=True):
            assert row == one.centre or (min(row, one.centre), max(row, one.centre)) in linked
            assert distance <= LIMIT
    # No pair within the limit was missed: whatever is linked is in one group.
    together = {row: number for number, one in enumerate(found.groups) for row in one.rows.tolist()}
    assert all(together.get(a, -1) == together.get(b, -2) for a, b in linked)


def test_mirrored_photos_where_asked(photos: Path) -> None:
    found = find_duplicates(photos, FindOptions(mirrored=True))

    assert [len(one.rows) for one in found.groups] == [2 + len(CHANGES)] * N_PHOTOS
    for one in found.groups:
        ways = [found.images.ids[row].startswith("mirror") for row in one.rows]
        # All but the mirrored one are found as they are, or, where that is the centre, mirrored.
        assert one.mirrored.tolist() == (
            ways if not ways[one.rows.tolist().index(one.centre)] else ~np.array(ways)
        )


def test_pairs_within_a_radius_are_all_of_them() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2500, 3)).astype(np.float32)
    some = vectors[:40]
    apart = np.sqrt(sum(np.subtract.outer(*[axis.astype(np.float64)] * 2) ** 2 for axis in vectors.T))
    slow = np.argwhere(np.triu(apart <= 0.2, 1))

    assert pairs_within(vectors, None, 0.2, 2).tolist() == slow.tolist()
    assert pairs_within(some, vectors, 0.2).tolist() == np.argwhere(apart[:40] <= 0.2).tolist()


def test_alignment_finds_the_place_of_a_crop() -> None:
    picture = photo(3, 320).convert("L")
    box = (13, 0, 320, 307)
    first, second = (
        np.asarray(one.resize((32, 32), Image.Resampling.BOX))[None] for one in (picture, picture.crop(box))
    )
    found = align(smoothed(first), smoothed(second))

    stretch, shift = found.places[0, 0], found.places[0, 1]
    # In the crop the picture is 320/307 as large; its middle lies 6.5 pixels of 307 to the left.
    assert stretch == pytest.approx(320 / 307, abs=0.01)
    assert shift == pytest.approx(-6.5 / 307, abs=0.006)
    plain = np.corrcoef(smoothed(first).ravel(), smoothed(second).ravel())[0, 1]
    assert found.distances[0] < 0.5 * np.sqrt(1 - plain**2)


def test_a_chain_is_cut() -> None:
    """Each of nine is like its neighbours on a line alone; no group is longer than the limit allows."""
    n, limit = 9, 1.0
    pairs = np.array([[i, j] for i in range(n) for j in range(i + 1, n) if j - i <= 2], np.int32)
    candidates = Candidates(pairs, np.zeros(len(pairs), bool))
    stars = group(n, candidates, lambda p, _: np.abs(p[:, 0] - p[:, 1]).astype(np.float32), limit)

    assert (stars.distances <= 1.5 * limit).all()
    for centre in set(stars.centres.tolist()) - {-1}:
        members = np.flatnonzero(stars.centres == centre)
        assert len(members) > 1
        assert np.ptp(members) <= 2
    assert (stars.centres >= 0).sum() >= 6


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A folder of everything but plain photos."""
    folder = tmp_path / "odd"
    folder.mkdir()
    rng = np.random.default_rng(0)
    blank = np.full((40, 60, 3), 244)
    for name in ("blank1", "blank2"):
        noisy = np.clip(blank + rng.normal(0, 1.5, blank.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{name}.png")
    Image.new("RGB", (60, 40), (30, 250, 252)).save(folder / "cyan.png")
    Image.new("L", (60, 40), 120).save(folder / "grey.png")
    Image.new("L", (1, 1), 3).save(folder / "dot.png")
    picture = photo(1)
    picture.save(folder / "plain.png")
    picture.convert("CMYK").save(folder / "cmyk.tif")
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.rotate(90, expand=True).save(folder / "turned.jpg", exif=turned, quality=90)
    deep = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    shown = picture.convert("RGBA")
    shown.putalpha(255)
    shown.save(folder / "alpha.png")
    (folder / "broken.png").write_bytes((folder / "plain.png").read_bytes()[:2000])
    (folder / "link.png").symlink_to("plain.png")
    (folder / "loop").symlink_to(".")
    (folder / "self.png").symlink_to("self.png")
    return folder


def test_odd_files(odd: Path) -> None:
    found = find_duplicates(odd)

    groups = [{found.images.ids[row] for row in one.rows} for one in found.groups]
    same = {"plain.png", "cmyk.tif", "turned.jpg", "deep.png", "alpha.png"}
    assert sorted(groups, key=len) == [{"blank1.png", "blank2.png"}, same]
    reasons = {file.path: file.reason for file in found.images.skipped}
    assert set(reasons) == {"broken.png", "link.png", "loop", "self.png"}
    with pytest.raises(DataError, match="--strict"):
        find_duplicates(odd, FindOptions(strict=True))


def test_what_is_kept_and_where_the_others_go(photos: Path) -> None:
    found = find_duplicates(photos)
    best = {found.images.ids[row] for row in np.flatnonzero(kept(found))}
    first = {found.images.ids[row] for row in np.flatnonzero(kept(found, "first"))}

    assert {f"mirror/{seed:02}.png" for seed in range(N_PHOTOS)} <= best & first
    assert len(best) == len(first) == 2 * N_PHOTOS
    assert {name.split("/")[0] for name in first} == {"bright", "mirror"}
    sizes = dict(zip(found.images.ids, found.images.n_bytes.tolist(), strict=True))
    for name in best - first:
        seed = name.split("/")[1]
        assert sizes[name] == max(sizes[f"{how}/{seed}"] for how in ("original", "jpeg", "bright"))
    targets = {move.target for move in moves(found, kept(found), photos)}
    assert targets == set(found.images.ids) - best
    with pytest.raises(DataError, match="best, first"):
        kept(found, "last")


def test_against_another_folder(photos: Path) -> None:
    found = find_duplicates(photos / "half", against=photos / "original")
    n = N_PHOTOS

    assert [one.rows.tolist() for one in found.groups] == [[i, n + i] for i in range(n)]
    assert not kept(found)[:n].any()
    assert kept(found)[n:].all()
    # A better copy of the source is kept beside the worse one elsewhere.
    other = find_duplicates(photos / "original", against=photos / "half")
    assert kept(other).all()
    assert not kept(other, "first")[:n].any()
    with pytest.raises(DataError, match="in common"):
        find_duplicates(photos, against=photos / "half")


def test_pages_of_unlike_text_are_told_apart_by_their_detail(tmp_path: Path) -> None:
    for number in range(3):
        rng = np.random.default_rng(number)
        page = np.full((512, 512), 255, np.uint8)
        for line in range(60, 450, 8):
            page[line : line + 4, 56:456] = np.where(np.repeat(rng.integers(0, 2, 80), 5), 40, 255)
        Image.fromarray(page).save(tmp_path / f"{number}.png")
        Image.fromarray(page).save(tmp_path / f"{number}.jpg", quality=60)
    images = read_thumbnails(tmp_path)
    two = np.array([0], np.int32), np.array([2], np.int32)
    bare = replace(images, paths=(None,) * len(images))

    found = find_duplicates(tmp_path, FindOptions(limit=0.3))

    assert [[images.ids[row] for row in one.rows] for one in found.groups] == [
        [f"{number}.jpg", f"{number}.png"] for number in range(3)
    ]
    assert Comparison(bare, 1).distances(*two, np.zeros(1, bool))[0] <= 0.3
    assert Comparison(images, 1).distances(*two, np.zeros(1, bool))[0] > 0.6
