"""Signatures: short vectors that are near each other for duplicates, and for few others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from kmosaic.duplicates.thumbnails import SIDE

# Below this frequency a crop of 4% moves no wave by more than a tenth of its length; see decision record 36.
_MAX_FREQUENCY = 6.0
_BLOCK = 4096


def signatures(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the low frequencies of pictures (n, SIDE, SIDE) as vectors of unit length, float32 (n, 32).

    Cosine transform coefficients times the root of their frequency, so that the few lowest, of which every
    photo has much, do not decide alone. Brightness and contrast do not change them; a picture of one value
    has zeros.
    """
    waves = _frequencies()
    chosen = (waves > 0) & (waves < _MAX_FREQUENCY)
    weights = np.sqrt(waves[chosen]).astype(np.float32)
    found = np.empty((len(grey), int(chosen.sum())), np.float32)
    for start in range(0, len(grey), _BLOCK):
        block = grey[start : start + _BLOCK].astype(np.float32)
        vectors = dctn(block, axes=(1, 2), norm="ortho")[:, chosen] * weights
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        found[start : start + _BLOCK] = vectors / np.maximum(lengths, 1e-3)
    return found


def mirrored(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the signatures of the same pictures mirrored left to right: odd waves change their sign."""
    waves = _frequencies()
    across = np.tile(np.arange(SIDE), (SIDE, 1))[(waves > 0) & (waves < _MAX_FREQUENCY)]
    return vectors * np.where(across % 2, -1, 1).astype(np.float32)


def _frequencies() -> NDArray[np.float64]:
    down, across = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(down, across))
