"""The dual-stream model: unit float32 vectors whatever the towers run in, seeds, frozen towers, and a dynamic batch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.model import ContrastiveModel
from nlvr.training.readings import SAID, SHOWN

SIZE, POINTS, LENGTH = 64, 128, 96


def build(*overrides, preset="tiny"):
    return ContrastiveModel(load_config(preset, overrides=overrides), pretrained=False)


def vehicles(count, seed=0, size=SIZE):
    generator = torch.Generator().manual_seed(seed)
    background, crop = torch.randint(0, 256, (2, count, size, size, 3), generator=generator, dtype=torch.uint8)
    points = torch.rand(count, POINTS, 2, generator=generator)
    return background, crop, points, torch.randint(1, POINTS + 1, (count,), generator=generator)


def texts(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, LENGTH + 1, (count, 1), generator=generator)
    mask = (torch.arange(LENGTH) < lengths).long()
    return torch.randint(1, 259, (count, LENGTH), generator=generator) * mask, mask


@pytest.fixture(scope="module", params=["true", "false"], ids=["shared", "unshared"])
def model(request):
    return build(f"model.shared={request.param}").eval()


def assert_unit(vectors, count):
    assert (vectors.shape, vectors.dtype) == ((count, 256), torch.float32)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(count), rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 5])
def test_both_streams_give_unit_vectors(model, count):
    assert_unit(model.encode_vehicles(*vehicles(count)), count)
    assert_unit(model.encode_texts(*texts(count)), count)


@torch.no_grad()
def test_a_row_does_not_depend_on_the_rows_beside_it(model):
    together = model.encode_vehicles(*vehicles(4))
    alone = model.encode_vehicles(*(values[2:3] for values in vehicles(4)))
    torch.testing.assert_close(together[2:3], alone, rtol=0, atol=1e-6)


@torch.no_grad()
def test_every_input_reaches_the_vector(model):
    whole = vehicles(2)
    other = vehicles(2, seed=1)
    for place in range(4):
        changed = [*whole]
        changed[place] = other[place]
        assert not torch.allclose(model.encode_vehicles(*whole), model.encode_vehicles(*changed), atol=1e-5)


@torch.no_grad()
def test_a_patch_network_sees_the_mean_colours_of_a_reduced_crop():
    model = build("model.patch=16").eval()
    inputs = vehicles(3)
    crop = inputs[1]
    patch = model.vehicle.patch.reduce(crop)
    means = crop.float().reshape(3, 16, 4, 16, 4, 3).mean((2, 4))
    assert patch.dtype == torch.uint8
    assert (patch - means).abs().max() <= 0.5
    *seen, (shown, grid) = model.vehicle.see(*inputs)
    assert torch.equal(shown, patch)
    assert grid is None
    joined, _ = model.vehicle.tell(*seen, (patch, None))
    torch.testing.assert_close(joined, model.encode_vehicles(*inputs))
    assert not torch.allclose(joined, model.vehicle.tell(*seen, (255 - patch, None))[0])


@torch.no_grad()
@pytest.mark.parametrize("shared", ["true", "false"])
def test_a_grid_network_sees_where_things_are_in_a_crop(shared):
    model = build("model.grid=true", "model.attributes=true", f"model.shared={shared}").eval()
    inputs = vehicles(3)
    background, crop, points, lengths, (patch, grid) = model.vehicle.see(*inputs)
    tower = model.vehicle.crop or model.vehicle.image
    assert patch is None
    torch.testing.assert_close(grid, tower.layers(model.vehicle.normalise(inputs[1])))
    vectors, logits = model.vehicle.tell(background, crop, points, lengths, (None, grid))
    torch.testing.assert_close(vectors, model.encode_vehicles(*inputs))
    moved = grid.roll(1, dims=3)  # its means are the same
    other_vectors, other_logits = model.vehicle.tell(background, crop, points, lengths, (None, moved))
    assert not torch.allclose(other_vectors, vectors)
    looks = sum(SHOWN[:2])
    assert not torch.allclose(other_logits[:, :looks], logits[:, :looks])
    # Attributes are read from the map, no longer from its means.
    torch.testing.assert_close(model.vehicle.tell(background, crop + 1, points, lengths, (None, grid))[1], logits)


@torch.no_grad()
def test_heads_read_attributes_and_the_vectors_tell_them():
    model = build("model.attributes=true", "model.patch=16").eval()
    for encoder, sizes, inputs in ((model.vehicle, SHOWN, model.vehicle.see(*vehicles(3))), (model.text, SAID, None)):
        seen = inputs or (model.text.tower(*texts(3)),)
        vectors, logits = encoder.tell(*seen)
        assert logits.shape == (3, sum(sizes))
        head = encoder.path_head if encoder is model.vehicle else encoder.head
        head.layers[-1].bias += torch.linspace(-3, 3, len(head.layers[-1].bias))
        told, others = encoder.tell(*seen)
        assert not torch.allclose(others, logits)
        assert not torch.allclose(told, vectors)


@torch.no_grad()
def test_where_a_vehicle_goes_is_read_from_its_boxes_and_what_it_is_from_its_crop():
    model = build("model.attributes=true", "model.patch=16", "model.grid=true", "model.course=true").eval()
    looks = sum(SHOWN[:2])
    background, crop, points, lengths = vehicles(2)
    other_background, other_crop, other_points, _ = vehicles(2, seed=1)
    read = {
        name: model.vehicle.tell(*model.vehicle.see(*inputs))[1]
        for name, inputs in {
            "as it is": (background, crop, points, lengths),
            "elsewhere": (other_background, crop, points, lengths),
            "another": (background, other_crop, points, lengths),
            "another way": (background, crop, other_points, lengths),
        }.items()
    }
    torch.testing.assert_close(read["elsewhere"], read["as it is"])
    torch.testing.assert_close(read["another"][:, looks:], read["as it is"][:, looks:])
    assert not torch.allclose(read["another"][:, :looks], read["as it is"][:, :looks])
    torch.testing.assert_close(read["another way"][:, :looks], read["as it is"][:, :looks])
    assert not torch.allclose(read["another way"][:, looks:], read["as it is"][:, looks:])


@torch.no_grad()
def test_background_and_crop_have_places_of_their_own(model):
    background, crop, *motion = vehicles(2)
    swapped = model.encode_vehicles(crop, background, *motion)
    assert not torch.allclose(model.encode_vehicles(background, crop, *motion), swapped, atol=1e-5)


def test_the_tower_sees_normalised_planes(model):
    seen = []
    hook = model.vehicle.image.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = vehicles(2)
    model.encode_vehicles(*images)
    hook.remove()
    expected = (images[0].numpy().transpose(0, 3, 1, 2) / 255.0 - 0.5) / 0.5
    torch.testing.assert_close(seen[0][:2], torch.from_numpy(expected).float(), rtol=0, atol=1e-6)


def test_the_vehicle_vector_is_the_projection_of_the_joined_features(model):
    background, crop, points, lengths = vehicles(3)
    stream = model.vehicle

    def features(tower, images):
        return tower((images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5)

    joined = [features(stream.image, background), features(stream.crop or stream.image, crop)]
    expected = torch.cat([*joined, stream.motion(points, lengths)], dim=1) @ stream.projection.linear.weight.T
    found = stream(background, crop, points, lengths)
    torch.testing.assert_close(found, functional.normalize(expected, dim=1), rtol=0, atol=1e-6)


def test_a_shared_tower_is_one_tower():
    shared, unshared = build("model.shared=true"), build("model.shared=false")
    assert [len(shared.towers()), len(unshared.towers())] == [2, 3]
    assert not any(name.startswith("vehicle.crop") for name in shared.state_dict())


def test_the_tiny_model_is_tiny():
    assert sum(weight.numel() for weight in build("model.shared=false").parameters()) < 310_000


def test_the_seed_decides_the_weights_and_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = build("schedule.seed=3"), build("schedule.seed=3"), build("schedule.seed=4")
    assert torch.equal(torch.rand(3), expected)
    weights = [model.state_dict() for model in (first, second, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(first.text.projection.linear.weight, other.text.projection.linear.weight)


@pytest.mark.parametrize("frozen", [["image"], ["text"], ["image", "text"]])
def test_frozen_towers_stay_as_they_are_in_training(frozen):
    model = build(f"schedule.frozen={frozen}", "model.shared=false").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    (model.encode_vehicles(*vehicles(4)) * model.encode_texts(*texts(4))).sum().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    towers = {"image": ("vehicle.image.", "vehicle.crop."), "text": ("text.tower.",)}
    for tower, prefixes in towers.items():
        assert any(name.startswith(prefixes) for name in changed) == (tower not in frozen)
    assert {"vehicle.projection.linear.weight", "text.projection.linear.weight"} <= changed


@torch.no_grad()
def test_the_last_projection_and_the_norm_stay_in_float32(model):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = [model.encode_vehicles(*vehicles(3)), model.encode_texts(*texts(3))]
    whole = [model.encode_vehicles(*vehicles(3)), model.encode_texts(*texts(3))]
    for coarse, fine in zip(rounded, whole, strict=True):
        assert_unit(coarse, 3)
        assert functional.cosine_similarity(coarse, fine).min() > 0.999


@torch.no_grad()
def test_half_towers_keep_the_tail_in_float32():
    model = build().eval()
    inputs = vehicles(3), texts(3)
    whole = [model.encode_vehicles(*inputs[0]), model.encode_texts(*inputs[1])]
    model.half_towers()
    assert {weight.dtype for tower in model.towers() for weight in tower.parameters()} == {torch.float16}
    tail = [*model.vehicle.motion.parameters(), *model.vehicle.projection.parameters()]
    assert {weight.dtype for weight in [*tail, *model.text.projection.parameters()]} == {torch.float32}
    for coarse, fine in zip([model.encode_vehicles(*inputs[0]), model.encode_texts(*inputs[1])], whole, strict=True):
        assert_unit(coarse, 3)
        assert functional.cosine_similarity(coarse, fine).min() > 0.9999


@torch.no_grad()
@pytest.mark.filterwarnings("ignore::FutureWarning:torch")  # torch.export's own use of its deprecated helpers
@pytest.mark.filterwarnings("ignore:The tensor attributes.*_flat_weights")  # how torch.export sees an LSTM
@pytest.mark.parametrize(
    "parts", [(), ("model.patch=16", "model.grid=true", "model.attributes=true", "model.course=true")]
)
def test_the_batch_stays_dynamic_through_export(parts):
    model = build(*parts).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    for stream, draw in ((model.vehicle, vehicles), (model.text, texts)):
        example = draw(2)
        exported = torch.export.export(stream, example, dynamic_shapes=tuple({0: batch} for _ in example)).module()
        for count in (1, 7):
            torch.testing.assert_close(exported(*draw(count)), stream(*draw(count)), rtol=0, atol=1e-6)
