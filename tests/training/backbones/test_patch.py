"""Small networks that read crops and towers' maps."""

from __future__ import annotations

import pytest
import torch

from nlvr.training.backbones.patch import GridNetwork, PatchNetwork


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        yield


def test_a_crop_is_reduced_to_the_nearest_of_its_means():
    crop = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    reduced = PatchNetwork(16).reduce(crop)
    assert (reduced.dtype, reduced.shape) == (torch.uint8, (2, 16, 16, 3))
    mean = crop[1, 8:12, 20:24].float().mean((0, 1))
    assert torch.equal(reduced[1, 2, 5], (mean + 0.5).to(torch.uint8))


def test_a_patch_network_tells_crops_of_one_mean_apart():
    network = PatchNetwork(32).eval()
    crop = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    found, other = network(crop), network(crop.flip(2))
    assert found.shape == (1, network.width) == (1, 384)
    assert not torch.allclose(found, other)


def test_a_grid_network_looks_at_what_it_reads_of_each_cell():
    network = GridNetwork(20).eval()
    grid = torch.rand(2, 20, 12, 12)
    cells = network.by_cell(grid)
    assert cells.shape == (2, network.cells_width, 12, 12)
    assert torch.equal(network(grid), network.look(cells))
    assert network(grid).shape == (2, network.width) == (2, 384)
    changed = grid.clone()
    changed[0, :, 3, 7] += 1
    elsewhere = torch.ones(2, 12, 12, dtype=torch.bool)
    elsewhere[0, 3, 7] = False
    same = (network.by_cell(changed) == cells).all(1)
    assert torch.equal(same, elsewhere)
    assert not torch.allclose(network.look(cells.flip(3)), network.look(cells))
