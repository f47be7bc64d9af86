"""Superpixels: scikit-image's signature, masks, volumes, bad arguments."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from kmosaic.engines.colour_points import ColourSpace
from kmosaic.errors import DataError
from kmosaic.superpixels import slic
from kmosaic.superpixels.features import features, smoothed


def photo(height=60, width=90, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    shapes = (x // 17 + y // 23) % 3 * 70
    noise = rng.integers(0, 30, (height, width, channels))
    return (shapes[..., np.newaxis] + noise).astype(np.uint8)


def n_parts(labels):
    """How many connected parts the labels have, each label counted by itself."""
    return sum(ndimage.label(labels == label)[1] for label in np.unique(labels))


def test_regions_are_connected_numbered_in_order_and_as_many_as_asked():
    image = photo()
    labels = slic(image, 40)
    found, first = np.unique(labels, return_index=True)
    assert labels.dtype == np.int32
    assert found.tolist() == list(range(1, len(found) + 1))
    assert (np.diff(first) > 0).all()
    assert n_parts(labels) == len(found)
    assert 20 <= len(found) <= 60
    assert np.bincount(labels.reshape(-1))[1:].min() >= 0.5 * labels.size / 48 - 1


def test_edges_of_a_clean_picture_are_found_exactly():
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 23:] = (200, 30, 90)
    labels = slic(picture, 24)
    assert not set(np.unique(labels[:, :23])) & set(np.unique(labels[:, 23:]))


def test_labels_are_the_same_on_every_machine():
    """Written once; neither threads nor machines change it, and no instruction set is asked for."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (70, 83, 3), dtype=np.uint8)
    image[20:50, 30:] //= 3
    volume = (rng.integers(0, 1000, (9, 30, 40)) / 1000).astype(np.float32)
    digests = set()
    for n_threads in (1, 2, 5):
        digest = hashlib.sha256()
        for options in ({}, {"sigma": 1.5}, {"slic_zero": True}, {"mask": image[..., 0] > 40}):
            digest.update(slic(image, 50, n_threads=n_threads, **options).tobytes())
        digest.update(
            slic(volume, 30, 0.2, channel_axis=None, spacing=(3, 1, 1), n_threads=n_threads).tobytes()
        )
        digests.add(digest.hexdigest()[:16])
    assert digests == {"f69f3f592e51b738"}


def test_a_mask_limits_regions_and_seeds():
    image, mask = photo(), np.zeros((60, 90), bool)
    mask[10:50, 5:70] = True
    mask[30:34, 20:24] = False
    mask[2, 88] = True  # a pixel by itself
    labels = slic(image, 20, mask=mask)
    assert (labels > 0).tolist() == mask.tolist()
    found = np.unique(labels[mask])
    assert n_parts(np.where(mask, labels, 0)) == len(found) + ndimage.label(~mask)[1]
    assert 10 <= len(found) <= 30
    changed = image.copy()
    changed[~mask] = 255 - changed[~mask]
    assert np.array_equal(slic(changed, 20, mask=mask), labels)
    assert (slic(image, 20, mask=mask, start_label=0) == labels - 1).all()
    assert not slic(image, 20, mask=np.zeros((60, 90), bool)).any()


def test_volumes_with_spacing():
    volume = np.zeros((12, 20, 24), np.float64)
    volume[:, :, 11:] = 5.0
    volume[6:] += 2.0
    labels = slic(volume, 24, 0.05, channel_axis=None)
    assert labels.shape == volume.shape
    assert n_parts(labels) == len(np.unique(labels))
    for label in np.unique(labels):
        assert len(np.unique(volume[labels == label])) == 1
    flat = slic(np.zeros((12, 20, 24)), 24, channel_axis=None, spacing=(10, 1, 1))
    deep = [np.ptp(np.nonzero(flat == label)[0]) for label in np.unique(flat)]
    wide = [np.ptp(np.nonzero(flat == label)[2]) for label in np.unique(flat)]
    assert np.mean(wide) > 3 * np.mean(deep)


def test_the_same_values_of_any_type_give_the_same_regions():
    for dtype in [np.uint16, np.int16, np.float32, np.float64]:
        image = photo(channels=5)
        expected = slic(image, 30, 0.1)
        assert np.array_equal(slic((image.astype(dtype) * 2 + 3).astype(dtype), 30, 0.1), expected)
        moved = np.moveaxis(image, 2, 0)
        assert np.array_equal(slic(moved, 30, 0.1, channel_axis=0), expected)


def test_small_pictures_and_more_regions_than_pixels():
    for shape, n_segments in [((1, 1), 1), ((1, 1), 50), ((5, 7), 1000), ((1, 40), 4), ((40, 1), 3)]:
        labels = slic(photo(*shape), n_segments)
        assert labels.shape == shape
        assert n_parts(labels) == len(np.unique(labels)) <= max(1, min(n_segments + 1, labels.size))
        assert slic(np.zeros(shape), n_segments, min_size_factor=0, channel_axis=None).min() == 1


def test_one_colour_gives_a_grid():
    for compactness in [1e-6, 0.1, 10, 1e9]:
        labels = slic(np.full((60, 80, 3), 77, np.uint8), 48, compactness)
        sizes = np.bincount(labels.reshape(-1))[1:]
        assert len(sizes) == 48
        assert sizes.min() >= 80
        assert sizes.max() <= 130


def test_without_connectivity_labels_are_those_of_the_centres():
    labels = slic(photo(), 40, enforce_connectivity=False, start_label=0)
    assert labels.min() >= 0
    assert labels.max() < 60
    assert n_parts(labels) > len(np.unique(labels))


def test_large_regions_are_cut():
    sizes = np.bincount(slic(photo(), 10, 0.01, max_size_factor=1, min_size_factor=0).reshape(-1))
    assert sizes.max() <= 60 * 90 / 9


def test_features_are_oklab_with_more_chroma_and_smoothing_is_a_gaussian():
    image = photo()
    image[0, :2] = [[0], [255]]
    points = ColourSpace("oklab").points(image.reshape(-1, 3), 1).reshape(image.shape).astype(int)
    found = features(image[np.newaxis], None, lab=True, n_threads=1)[0].astype(int)
    assert np.array_equal(found[..., 0], points[..., 0])
    assert np.array_equal(found[..., 1:] - 12288, 2 * (points[..., 1:] - 8192))
    blurred = smoothed(found[np.newaxis].astype(np.uint16), np.array([0.0, 2.0, 1.0]))[0]
    expected = ndimage.gaussian_filter(found.astype(float), (2.0, 1.0, 0), mode="reflect")
    assert np.abs(blurred - expected).max() < 2


BAD = [
    ({"image": np.zeros((4, 4))}, "must have two or three axes"),
    ({"image": np.zeros((0, 4, 3))}, "must have from 1 to"),
    ({"image": np.array([["a", "b"]])}, "must be of integers, float32, float64 or bools"),
    ({"image": np.full((4, 4, 3), np.nan)}, "has NaN or infinite values; mask them"),
    ({"channel_axis": 3}, "channel_axis=3 is none of the image's 3 axes"),
    ({"n_segments": 0}, "n_segments=0 must be a whole number from 1"),
    ({"compactness": 0}, "compactness=0 must be above 0"),
    ({"compactness": np.nan}, "compactness=nan must be above 0"),
    ({"max_num_iter": 0}, "max_num_iter=0 must be a whole number from 1"),
    ({"sigma": -1}, "sigma=-1 must be from 0 to 10,000"),
    ({"sigma": (1, 2, 3)}, "sigma=(1, 2, 3) must be 2 numbers"),
    ({"spacing": (1, 0)}, "spacing=(1, 0) must be above 0"),
    ({"spacing": 2}, "spacing=2 must be 2 numbers"),
    ({"convert2lab": True, "image": np.zeros((4, 4, 5))}, "needs the three channels of RGB; the image has 5"),
    ({"min_size_factor": 4}, "min_size_factor=4 and max_size_factor=3"),
    ({"start_label": 2}, "start_label=2 must be 0 or 1"),
    ({"mask": np.ones((3, 4), bool)}, "mask of shape (3, 4) must have the image's, (8, 9)"),
]  # fmt: skip


def test_bad_arguments_are_one_clear_error():
    for arguments, message in BAD:
        given = {"image": np.zeros((8, 9, 3)), **arguments}
        with pytest.raises(DataError) as caught:
            slic(given.pop("image"), **given)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_values_outside_of_a_mask_may_be_missing():
    image = photo().astype(np.float64)
    mask = np.ones((60, 90), bool)
    image[:5], mask[:5] = np.nan, False
    assert (slic(image, 20, mask=mask)[5:] > 0).all()


def test_a_range_that_overflows():
    image = photo().astype(np.float64)
    huge = (image - 85) * 2.0**1017
    assert np.isfinite(huge).all()
    assert np.isinf(float(huge.max()) - float(huge.min()))
    assert np.array_equal(slic(huge, 20), slic(image, 20))
