"""quantize: palettes, labels, alpha, depth, dithering."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from instruction_sets import on_every_cpu
from kmosaic import DataError, KMeans
from kmosaic.colours import Palette, QuantizeOptions, error_curve, fewest_colors, fit, quantize, quantize_all
from kmosaic.colours.blue_noise import blue_noise_mask
from kmosaic.colours.ssimulacra2 import Ssimulacra2
from kmosaic.engines.colour_points import UNIT, ColourSpace


def drawn_photo(height: int = 60, width: int = 90, seed: int = 0) -> NDArray[np.uint8]:
    """Ground, sky and noise: some thousands of colours."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    # Sums of draws that NumPy promises to keep, unlike those of normal.
    noise = random.integers(-5, 6, (4, height, width, 3)).sum(axis=0)
    picture = np.stack([200 - 2 * y, 60 + x, 40 + 3 * (y % 40)], axis=2) + noise
    return np.clip(picture, 0, 255).astype(np.uint8)


def slow_squares(picture: NDArray[np.uint8], colours: NDArray[np.uint8], space: str) -> NDArray[np.int64]:
    """(n, k) squared distances of every pixel to every colour."""
    points = ColourSpace(space).points(picture.reshape(-1, 3), 1).astype(np.int64)
    palette = ColourSpace(space).points(np.ascontiguousarray(colours[:, :3]), 1).astype(np.int64)
    return np.square(points[:, None] - palette).sum(axis=2)


def test_labels_without_dither_are_those_of_the_nearest_colours() -> None:
    for space in ["oklab", "srgb", "linear"]:
        picture = drawn_photo()
        result = quantize(picture, 12, space=space, dither="none")
        squares = slow_squares(picture, result.palette.colors, space)
        assert (squares.argmin(axis=1) == result.labels.reshape(-1)).all()
        assert result.palette.shares is not None
        assert result.palette.shares == pytest.approx(
            np.bincount(result.labels.reshape(-1)) / result.labels.size
        )
        assert (result.pixels == result.palette.colors[result.labels][..., :3]).all()


def test_srgb_is_the_k_means_of_the_pixels() -> None:
    picture = drawn_photo()
    fits = [quantize(picture, 8, space="srgb", dither="none", exact=True, seed=seed) for seed in range(8)]
    result = min(fits, key=lambda one: one.mse)
    peer = KMeans(8, n_init=8, random_state=0).fit(picture.reshape(-1, 3))
    assert result.mse <= 1.03 * peer.inertia_ / result.labels.size
    assert (np.diff(result.error_history) <= 1e-9 * result.error_history[0]).all()
    assert result.error_history[-1] * 255**2 == pytest.approx(result.mse, rel=0.02)


def test_threads_and_repetition_change_no_bit() -> None:
    picture = drawn_photo(200, 50)
    for dither in ("diffusion", "blue-noise", "none"):
        results = [quantize(picture, 20, dither=dither, n_threads=n) for n in (1, 2, 7)]
        for other in results[1:]:
            assert (other.labels == results[0].labels).all()
            assert (other.palette.colors == results[0].palette.colors).all()


@on_every_cpu
def test_every_instruction_set_gives_the_same() -> None:
    result = quantize(drawn_photo(), 16)
    code = np.concatenate([result.labels.reshape(-1), result.palette.colors.reshape(-1)]).astype(np.uint64)
    digest = 0
    for value in code.tolist():
        digest = (digest * 1_000_003 + value) % (1 << 61)
    assert digest == DIGEST


DIGEST = 1209158794002286048


def test_fewer_colours_than_asked_are_all_kept() -> None:
    picture = np.zeros((7, 9, 3), np.uint8)
    picture[2:5] = (9, 200, 31)
    picture[:, 8] = (255, 0, 255)
    result = quantize(picture, 200)
    assert len(result.palette) == result.n_distinct == 3
    assert (result.pixels == picture).all()
    assert result.mse == 0
    assert result.psnr == float("inf")
    assert result.ssimulacra2 == 100


def test_tiny_pictures() -> None:
    for shape in [(1, 1, 3), (1, 1), (5, 1, 4)]:
        picture = np.full(shape, 77, np.uint8)
        result = quantize(picture, 4)
        assert len(result.palette) == 1
        assert result.labels.shape == shape[:2]
        assert result.ssimulacra2 == 100


def test_transparent_pixels_stay_so_and_their_colours_do_not_count() -> None:
    picture = np.dstack([drawn_photo(), np.full((60, 90), 255, np.uint8)])
    picture[10:30, 20:60, 3] = 0
    other = picture.copy()
    other[10:30, 20:60, :3] = np.random.default_rng(5).integers(0, 256, (20, 40, 3))
    for dither in ("diffusion", "blue-noise", "none"):
        result = quantize(picture, 9, dither=dither)
        assert len(result.palette) == 9
        assert (result.palette.colors[result.labels][..., 3] == picture[..., 3]).all()
        assert result.palette.colors[0].tolist() == [0, 0, 0, 0]
        again = quantize(other, 9, dither=dither)
        assert (again.labels == result.labels).all()


def test_all_transparent() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    picture[..., 3] = 0
    result = quantize(picture, 1)
    assert result.palette.colors.tolist() == [[0, 0, 0, 0]]
    assert not result.labels.any()


def test_translucent_colours_keep_their_opacity() -> None:
    picture = np.dstack([drawn_photo(), np.tile(np.linspace(1, 255, 90).astype(np.uint8), (60, 1))])
    result = quantize(picture, 64, dither="none")
    alpha = result.palette.colors[result.labels][..., 3].astype(int)
    assert np.abs(alpha - picture[..., 3]).mean() < 20
    assert len(np.unique(result.palette.colors[:, 3])) > 8
    image = Image.open(io.BytesIO(saved(result.image))).convert("RGBA")
    assert (np.asarray(image) == result.pixels).all()


def test_opaque_pixels_never_become_translucent() -> None:
    opaque = drawn_photo()
    translucent = np.dstack([opaque, np.full(opaque.shape[:2], 90, np.uint8)])
    for dither in ("diffusion", "blue-noise", "none"):
        results = quantize_all([opaque, translucent], 24, dither=dither)
        assert (results[0].palette.colors[:, 3] > 200).all()
        assert (results[1].palette.colors[:, 3] < 200).all()
    given = Palette([[200, 100, 60, 40], [90, 90, 90, 255]])
    assert (quantize(opaque, palette=given).palette.colors[:, 3] == 255).all()


def test_256_colours_with_alpha() -> None:
    picture = np.random.default_rng(0).integers(1, 256, (40, 40, 4), dtype=np.uint8)
    assert len(quantize(picture, 256).palette) > 250
    picture[:9, 0, 3] = 0
    clear = quantize(picture, 256).palette.colors[quantize(picture, 256).labels][:9, 0]
    assert not clear.any()
    full = Palette(np.random.default_rng(1).integers(0, 255, (256, 3)))
    assert (
        quantize(picture, palette=full).labels[:9, 0] == quantize(picture, palette=full).labels[0, 0]
    ).all()


def saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_16_bits_are_as_8_where_they_are_the_same() -> None:
    picture = drawn_photo()
    narrow = quantize(picture, 10)
    wide = quantize(picture.astype(np.uint16) * 257, 10)
    assert (wide.labels == narrow.labels).all()
    assert (wide.palette.colors == narrow.palette.colors).all()
    assert wide.mse == narrow.mse


def test_greys_stay_grey() -> None:
    grey = np.tile(np.arange(256, dtype=np.uint8), (20, 1))
    colors = quantize(grey, 7).palette.colors
    assert (colors[:, 0] == colors[:, 1]).all()
    assert (colors[:, 0] == colors[:, 2]).all()


def test_dithering_looks_better_and_is_as_bright() -> None:
    ramp = np.add.outer(np.linspace(20, 100, 120), np.linspace(0, 130, 160))
    picture = np.stack([ramp, 230 - ramp, ramp * 0.6], axis=2).astype(np.uint8)
    plain = quantize(picture, 10, dither="none")
    for dither in ("diffusion", "blue-noise"):
        mixed = quantize(picture, 10, dither=dither)
        assert mixed.mse > plain.mse
        blocks = [
            p.reshape(12, 10, 16, 10, 3).mean(axis=(1, 3)) for p in (picture, mixed.pixels, plain.pixels)
        ]
        errors = [np.square(block - blocks[0]).mean() for block in blocks[1:]]
        assert errors[0] < 0.7 * errors[1]


def test_flat_areas_are_not_dithered() -> None:
    picture = drawn_photo(100, 100)
    picture[20:80, 20:80] = (120, 121, 119)
    labels = quantize(picture, 40).labels[21:79, 21:79]
    assert (labels == labels[0, 0]).all()


def test_blue_noise_has_no_low_frequencies() -> None:
    mask = blue_noise_mask()
    assert sorted(mask.reshape(-1).tolist()) == list(range(64 * 64))
    power = np.abs(np.fft.fft2(mask / mask.size - 0.5)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    low = power[(frequency > 0) & (frequency < 0.1)].mean()
    assert low < 0.05 * power[frequency > 0.3].mean()


def test_given_colours_stay_and_others_are_found_besides() -> None:
    picture = drawn_photo()
    given = Palette([[255, 255, 255], [10, 60, 200]])
    fixed = quantize(picture, palette=given, dither="none")
    assert {*fixed.palette.hex} <= {*given.hex}
    more = quantize(picture, palette=given, extra=6, dither="none")
    rows = np.repeat(given.colors[:, np.newaxis, :3], 90, axis=1)
    used = quantize(np.vstack([picture, rows]), palette=given, extra=6, dither="none")
    assert {*given.hex} <= {*used.palette.hex}
    assert more.mse < 0.5 * fixed.mse
    assert len(used.palette) <= 8


@pytest.mark.parametrize("exact", [False, True])
def test_colours_beside_given_ones_are_a_fixed_point(exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is the mean of the points nearest to it; those given stay, also where nothing is near."""
    monkeypatch.setattr(fit, "_MIN_POINTS", 500)
    monkeypatch.setattr(fit, "_MAX_POINTS_TIMES_CLUSTERS", 1)
    space = ColourSpace("oklab")
    points, counts = np.unique(space.points(drawn_photo().reshape(-1, 3), 1), axis=0, return_counts=True)
    fixed = space.points(np.array([[120, 100, 80], [0, 255, 0], [60, 90, 90]], np.uint8), 1)
    found = fit.fit_beside(fixed, points, counts, 6, fit.FitOptions(exact, 0.0, 0, 1))
    if not exact:
        points, counts = fit.merge_neighbours(points, counts, 9)
    assert found.converged
    assert (found.centers[:3] == fixed).all()
    squares = np.square(points[:, None] - found.centers).sum(axis=2)
    labels = squares.argmin(axis=1)
    assert not (labels == 1).any()
    for label in range(3, 9):
        mean = np.average(points[labels == label], axis=0, weights=counts[labels == label])
        assert found.centers[label] == pytest.approx(mean)
    error = np.average(squares.min(axis=1), weights=counts) / UNIT**2
    assert found.error_history[-1] == pytest.approx(error)
    assert (np.diff(found.error_history) <= 0).all()


def test_a_fit_that_is_cut_short_says_so() -> None:
    space = ColourSpace("oklab")
    points, counts = np.unique(space.points(drawn_photo().reshape(-1, 3), 1), axis=0, return_counts=True)
    how = fit.FitOptions(False, 0.0, 0, 1, max_iter=2)
    assert not fit.fit_beside(points[:1], points, counts, 6, how).converged
    assert not fit.fit_palette(points, counts, 6, how).converged


def test_images_of_no_agreed_brightness_are_refused() -> None:
    for mode in ["I", "F"]:
        with pytest.raises(DataError, match=f"mode '{mode}'.*convert to 8 or 16 bit"):
            quantize(Image.new(mode, (4, 4), 70_000), 4)


def test_nothing_but_transparent_beside_others() -> None:
    clear = Palette([[0, 0, 0, 0]])
    assert len(quantize(drawn_photo(), palette=clear, extra=5, dither="none").palette) == 5
    assert quantize(np.zeros((4, 4, 4), np.uint8), palette=clear, extra=5).palette.hex == ("#00000000",)


def test_medoids_occur_in_the_picture() -> None:
    picture = drawn_photo()
    colours = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
    result = quantize(picture, 12, medoids=True)
    assert {tuple(color) for color in result.palette.colors[:, :3].tolist()} <= colours


def test_saliency_keeps_rare_vivid_colours() -> None:
    picture = drawn_photo(120, 160)
    picture[5:9, 5:9] = (255, 0, 200)
    errors = []
    for saliency in (0.0, 0.5):
        result = quantize(picture, 16, saliency=saliency, dither="none")
        errors.append(result.pixel_errors[6, 6])
    assert errors[1] < 0.2 * errors[0]


def test_one_palette_for_several_pictures() -> None:
    pictures = [drawn_photo(seed=1), 255 - drawn_photo(seed=2), drawn_photo(seed=1)]
    results = quantize_all(pictures, 16, dither="none")
    assert (results[0].labels == results[2].labels).all()
    together = quantize(np.vstack(pictures), 16, dither="none")
    assert {code for one in results for code in one.palette.hex} == set(together.palette.hex)


def test_quality_is_reached_with_the_fewest_colors() -> None:
    picture = drawn_photo(120, 160)
    result = fewest_colors(picture, 60.0)
    assert result.ssimulacra2 >= 60
    fewer = quantize(picture, len(result.palette) - 1)
    assert fewer.ssimulacra2 < 60
    with pytest.raises(DataError, match="out of reach: .* reach"):
        fewest_colors(picture, 99.9, most=4)


def test_the_error_falls_with_the_colours() -> None:
    points = error_curve(drawn_photo(), (2, 4, 8, 16))
    assert [point.n_colors for point in points] == [2, 4, 8, 16]
    assert all(a.mean_error > b.mean_error for a, b in itertools.pairwise(points))


def test_bad_input_is_one_clear_error() -> None:
    for image, colors, named in [
        (np.zeros((3, 3, 2), np.uint8), 4, "shape"),
        (np.zeros((3, 3, 3), np.float32), 4, "float32"),
        (np.zeros((0, 3, 3), np.uint8), 4, "no pixels"),
        (np.zeros((3, 3, 3), np.uint8), 0, "colors=0"),
        (np.zeros((3, 3, 3), np.uint8), 257, "257"),
        (np.zeros((3, 3, 3), np.uint8), 2.5, "2.5"),
    ]:
        with pytest.raises(DataError, match=named):
            quantize(image, colors)


def test_bad_options_are_one_clear_error() -> None:
    for options in [{"space": "lab"}, {"dither": "yes"}, {"strength": 2}, {"extra": 3}]:
        with pytest.raises(DataError, match=next(iter(options))):
            QuantizeOptions(**options)  # type: ignore[arg-type]


def test_transparent_needs_a_colour_of_its_own() -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[:2] = 255
    with pytest.raises(DataError, match="at least 2"):
        quantize(picture, 1)


def test_score_agrees_with_the_published_package() -> None:
    """Values of PyPI's ssimulacra2 0.3.0 for these very pictures."""
    picture = drawn_photo(96, 128)
    noise = np.random.default_rng(3).integers(-20, 21, picture.shape)
    other = np.clip(picture + noise, 0, 255).astype(np.uint8)
    assert Ssimulacra2(picture).score(other) == pytest.approx(SCORE, abs=0.02)
    assert Ssimulacra2(picture).score(picture) == 100


SCORE = -58.4945


def test_beats_pillow_on_real_pictures(shared_data) -> None:
    paths = sorted((shared_data / "cq100").glob("*.png"))[:2]
    if not paths:
        pytest.skip("no cq100")
    for path in paths:
        with Image.open(path) as image:
            small = image.convert("RGB").resize((256, 256))
        picture = np.asarray(small).astype(int)
        peers = [small.quantize(16, method=m, dither=Image.Dither.NONE) for m in (0, 1, 2)]
        mse = min(np.square(picture - np.asarray(peer.convert("RGB"))).sum(axis=2).mean() for peer in peers)
        assert quantize(small, 16, space="srgb", dither="none").mse < mse
