"""Shared by the training tests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch


@pytest.fixture
def one_thread():
    """One thread for PyTorch: small models gain nothing from more, and busy machines lose by them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def paint():
    """Write an image file of coloured rectangles on grey: (path, (width, height), [((x, y, w, h), (r, g, b)), …])."""

    def write(path, size, rectangles):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((size[1], size[0], 3), 90, np.uint8)
        for (x, y, width, height), rgb in rectangles:
            image[y : y + height, x : x + width] = rgb
        cv2.imwrite(str(path), image[:, :, ::-1])

    return write
