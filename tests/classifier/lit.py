"""Pages in uneven light, for the tests of preprocessing."""

from __future__ import annotations

import numpy as np

from classifier.preprocess import Image


def shaded(page: Image, share: np.ndarray) -> Image:
    """A page of which only a share of the light is left."""
    return (page * share).astype(np.uint8)


def half_in_shadow(page: Image) -> Image:
    """A page whose right half gets half of the light."""
    return shaded(page, np.where(np.arange(page.shape[1]) < page.shape[1] // 2, 1.0, 0.5))
