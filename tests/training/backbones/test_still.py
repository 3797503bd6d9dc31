"""A network that only looks sees what it saw before, to rounding, however many images at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nlvr.training.backbones.efficientnet import EfficientNetLite0
from nlvr.training.backbones.still import see, still

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network():
    """A network whose normalisations do something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = EfficientNetLite0().eval()
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for values in (module.weight, module.bias, module.running_mean, module.running_var):
                    values.data.uniform_(0.5, 1.5)
    return made


def test_it_sees_the_same_without_a_normalisation_of_its_own(network):
    eyes = still(network.train())
    network.eval()
    images = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(eyes(images), network(images), rtol=1e-4, atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in eyes.modules())
    assert not any(values.requires_grad for values in eyes.parameters())
    assert any(values.requires_grad for values in network.parameters())


def test_images_are_seen_in_parts_and_in_order():
    found = see(lambda a, b: (len(a), (a + b).tolist()), [np.arange(5), 10 * np.arange(5)], torch.device("cpu"))
    assert found == [(2, [0, 11]), (2, [22, 33]), (1, [44])]
