"""Batches: what a sample holds, grouping by frame, mirrored sentences, negatives, next frames, missing frames."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nlvr.engine.cityflow import load_tracks
from nlvr.engine.errors import FrameError, InputError
from nlvr.engine.frames import FrameStore
from nlvr.engine.language import COLOURS, MOTIONS, TYPES
from nlvr.engine.preprocess import Recipe, resize
from nlvr.engine.tokenizer import Tokenizer
from nlvr.training.augment import mirrored_sentence
from nlvr.training.readings import UNKNOWN
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.dataset import SBNetDataset, next_frame
from nlvr.training.sbnet.tokenizers import build_tokenizer
from nlvr.training.sbnet.views import View

SMALL = ("recipe.size=64", "text.length=24", "schedule.batch=10")
PLAIN = ("augment.crop=1.0", "augment.flip=0.0", "negatives.probability=0.0")


def dataset(root, *overrides, tracks=None, store=None):
    config = load_config("tiny", overrides=[*SMALL, *overrides])
    tokenizer = Tokenizer(build_tokenizer(config), length=config.text.length)
    tracks = load_tracks(root / "train-tracks.json") if tracks is None else tracks
    return SBNetDataset(config, tracks, store or FrameStore(root, decode_threads=2), tokenizer)


def same(one, other):
    names = [field.name for field in dataclasses.fields(one)]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def words(samples, batch):
    """Return the sentence of each sample, read from its bytes; the tokenizer writes a space as Ġ."""
    tokens = build_tokenizer(samples.config).id_to_token
    texts = [
        "".join(tokens(number) for number in ids[mask == 1][1:-1]).replace("Ġ", " ")
        for ids, mask in zip(samples.tokens.ids[batch.wordings], samples.tokens.mask[batch.wordings], strict=True)
    ]
    return [texts[row] for row in batch.text_rows]


def test_an_epoch_shows_every_frame_of_every_track_once(street):
    samples, shown = dataset(street, *PLAIN), []
    batches = list(samples.batches(0))
    assert samples.steps == len(batches) == 12
    with FrameStore(street) as store:
        known = {
            resize(store.read(frame), Recipe(size=64)).tobytes(): frame
            for track in samples.tracks
            for frame in track.frames
        }
    for batch in batches:
        frames = [known[image.tobytes()] for image in batch.images]
        assert len(set(frames)) == len(frames)
        said = words(samples, batch)
        for number, row in enumerate(batch.frame_rows):
            (track,) = (track for track in samples.tracks if said[number] in track.nl)
            box = track.boxes[track.frames.index(frames[row])]
            np.testing.assert_array_equal(batch.boxes[number], View.scored(box[None], Recipe()).masks(64, 64, 4)[0])
            colour, kind, motion = batch.image_labels[number]
            assert f"{COLOURS[colour]}-{TYPES[kind]}" == track.id
            assert motion == UNKNOWN
            shown.append((track.id, frames[row]))
        assert batch.positive.all()
        np.testing.assert_array_equal(batch.text_labels, batch.image_labels[:, :2])
    assert sorted(shown) == sorted((track.id, frame) for track in samples.tracks for frame in track.frames)


def see(images):
    """A backbone that sees each colour's brightest pixel of a cell, and how far a column is from the left."""
    cells = images.reshape(len(images), 4, 16, 4, 16, 3).max(axis=(2, 4)).transpose(0, 3, 1, 2)
    across = np.broadcast_to(np.arange(4), (len(images), 1, 4, 4))
    return np.concatenate([cells, across], axis=1).astype(np.float32)


@pytest.mark.parametrize("around", [0, 2])
@pytest.mark.parametrize("flip", [0, 1])
def test_boxes_beside_a_batch_are_of_any_view_and_mirrored_with_it(street, around, flip):
    settings = (*PLAIN, f"augment.flip={flip}", f"recipe.around={around}", "augment.box=0.1", "model.grid=4")
    frozen = ('schedule.frozen=["image", "language"]', "schedule.copies=2")
    alone, samples = (dataset(street, *settings, *frozen, f"schedule.beside={count}") for count in (0, 200))
    for one in (alone, samples):
        one.use(one.freeze(2, see, lambda *_: None), early_channels=4)
    batch, beside = samples.load(0, 1), samples.load(0, 1).beside
    assert alone.load(0, 1).beside is None
    assert same(alone.load(0, 1), dataclasses.replace(batch, beside=None))
    assert same(beside, samples.load(0, 1).beside)
    assert not same(beside, samples.load(1, 1).beside)
    assert beside.seen.shape == (200, 4, 4, 4)
    assert 0.05 < beside.moves.std() < 0.15
    # The views were mirrored already where all are: what they show is then turned back to how they were filmed.
    np.testing.assert_allclose(beside.seen[:, 3], np.broadcast_to(np.arange(4)[:: 1 - 2 * flip], (200, 4, 4)))
    known = {
        (one.shots[place].row, np.flip(box, 1).tobytes() if flip else box.tobytes())
        for one in samples._views.shown
        for place, box in enumerate(one.boxes)
    }
    drawn = {(tuple(label), box.tobytes()) for label, box in zip(beside.labels.tolist(), beside.boxes, strict=True)}
    assert drawn <= {(tuple(samples._labels[row, :2].tolist()), box) for row, box in known}
    assert len(drawn) > len(samples.tracks) / 2


@pytest.mark.parametrize("around", [0, 2])
def test_a_box_beside_a_batch_is_shown_in_its_own_view_turned_with_it(street, around):
    frozen = ('schedule.frozen=["image", "language"]', "schedule.copies=2", "model.grid=4", "schedule.beside=200")
    samples = dataset(street, *frozen, f"recipe.around={around}", "augment.flip=0.5")
    samples.use(samples.freeze(2, see, lambda *_: None), early_channels=4)
    known = set()
    for view, one in enumerate(samples._views.shown):
        (seen,) = samples._views.features.first(4, np.array([view]))
        for shot, box in zip(one.shots, one.boxes, strict=True):
            label = tuple(samples._labels[shot.row, :2].tolist())
            known |= {(label, box[:, ::turn].tobytes(), seen[..., ::turn].tobytes()) for turn in (1, -1)}
    beside = samples.load(0, 1).beside
    drawn = zip(beside.labels.tolist(), beside.boxes, beside.seen, strict=True)
    assert {(tuple(label), box.tobytes(), seen.tobytes()) for label, box, seen in drawn} <= known
    assert 0.3 < (beside.seen[:, 3, 0, 0] == 3).mean() < 0.7


def test_what_is_around_a_box_is_shown_for_that_box_alone(street):
    samples = dataset(street, *PLAIN, "recipe.around=2.0")
    samples.use(samples.freeze(2, see, lambda *_: None), early_channels=3)
    shown = [row for step in range(samples.steps) for row in samples.load(0, step).boxes]
    assert len(shown) == 2 * len(samples.tracks)
    # Half of the map's four cells along the longer side, all of them where the image ends at the box.
    assert all(2 <= max(box.any(axis=0).sum(), box.any(axis=1).sum()) <= 4 for box in shown)
    for batch in samples.batches(1):
        assert len(batch.images) == len(batch.boxes)


def test_batches_depend_on_seed_epoch_and_step_alone(street):
    samples = dataset(street)
    first = list(samples.batches(1))
    assert all(same(a, b) for a, b in zip(first[5:], samples.batches(1, 5), strict=True))
    assert all(same(a, b) for a, b in zip(first, dataset(street).batches(1), strict=True))
    assert not same(first[0], samples.load(2, 0))
    assert not same(first[0], dataset(street, "schedule.seed=1").load(1, 0))


def test_a_negative_describes_no_vehicle_of_the_frame_and_its_labels_are_its_own(street):
    samples = dataset(street, "augment.flip=0.0", "negatives.probability=0.5")
    counts = np.zeros(2, int)
    for batch in samples.batches(0):
        for number, said in enumerate(words(samples, batch)):
            (told,) = (track for track in samples.tracks if said in track.nl)
            colour, kind = batch.text_labels[number]
            assert f"{COLOURS[colour]}-{TYPES[kind]}" == told.id
            own = batch.image_labels[number, :2]
            counts[int(batch.positive[number])] += 1
            if batch.positive[number]:
                assert (own == (colour, kind)).all()
            else:
                assert (own == (colour, kind)).sum() == 1
                frame = [one for one, row in enumerate(batch.frame_rows) if row == batch.frame_rows[number]]
                assert not (batch.image_labels[frame, :2] == (colour, kind)).all(axis=1).any()
    assert counts.min() > 30


def test_a_mirrored_frame_has_mirrored_boxes_and_words(street):
    tracks = [
        dataclasses.replace(track, nl=("It turns left.",) if row % 2 else ("It turns right.",))
        for row, track in enumerate(load_tracks(street / "train-tracks.json"))
    ]
    settings = [*PLAIN, "modules.motion=true"]
    plain, flipped = (dataset(street, *settings, f"augment.flip={flip}", tracks=tracks) for flip in (0.0, 1.0))
    for one, other in zip(plain.batches(0), flipped.batches(0), strict=True):
        np.testing.assert_array_equal(other.images, one.images[:, :, ::-1])
        np.testing.assert_array_equal(other.following, one.following[:, :, ::-1])
        np.testing.assert_array_equal(other.boxes, one.boxes[:, :, ::-1])
        assert words(flipped, other) == [mirrored_sentence(text) for text in words(plain, one)]
        left, right = (MOTIONS.index(name) for name in ("left", "right"))
        assert set(one.image_labels[:, 2]) == {left, right}
        np.testing.assert_array_equal(other.image_labels[:, 2], left + right - one.image_labels[:, 2])
        np.testing.assert_array_equal(other.image_labels[:, :2], one.image_labels[:, :2])
        for before, after, length in zip(one.points, other.points, one.lengths, strict=True):
            np.testing.assert_allclose(after[:length, 1], before[:length, 1], atol=1e-6)
            assert np.diff(after[:length, 0]) == pytest.approx(-np.diff(before[:length, 0]), abs=1e-6)


def test_the_next_frame_is_the_next_in_time_and_absent_beyond_a_gap(own_street):
    folder = own_street / "train/S01/c001/img1"
    (folder / "000007.jpg").unlink()
    samples = dataset(own_street, *PLAIN)
    with FrameStore(own_street) as store:
        images = {number: store.read(f"train/S01/c001/img1/{number:06d}.jpg") for number in range(1, 31) if number != 7}
    known = {resize(image, Recipe(size=64)).tobytes(): number for number, image in images.items()}
    seen = set()
    for batch in samples.batches(0):
        for image, following, followed in zip(batch.images, batch.following, batch.followed, strict=True):
            number = known[image.tobytes()]
            seen.add(number)
            assert followed == (number not in (6, 30))
            if followed:
                np.testing.assert_array_equal(following, resize(images[number + 1], Recipe(size=4)))
            else:
                assert not following.any()
    assert seen == set(images)
    assert not any(batch.followed.any() for batch in dataset(own_street, "modules.future=false").batches(0))


def test_the_next_frame_of_a_reference():
    assert next_frame("./a/img1/000099.jpg") == "./a/img1/000100.jpg"
    assert next_frame("9.png") == "10.png"
    assert next_frame("a/img1/first.jpg") is None


def test_another_frame_stands_in_for_an_unreadable_one(own_street):
    tracks = load_tracks(own_street / "train-tracks.json")
    gone, cut = tracks[0].frames[0], tracks[1].frames[1]
    (own_street / gone).unlink()
    (own_street / cut).write_bytes((own_street / cut).read_bytes()[:200])
    store = FrameStore(own_street, decode_threads=2)
    samples = dataset(own_street, store=store)
    batches = list(samples.batches(0))
    assert sum(len(batch.positive) for batch in batches) == 120 - 4
    assert store.notices.counts == {"frame missing": 1, "frame truncated or unreadable": 1}
    assert all(same(a, b) for a, b in zip(batches, samples.batches(0), strict=True))


def test_a_track_without_a_readable_frame_is_named(own_street):
    tracks = load_tracks(own_street / "train-tracks.json")
    for frame in tracks[3].frames:
        (own_street / frame).write_bytes(b"")
    with pytest.raises(FrameError, match="none of its 6 frames can be read; the first is train/S01/"):
        list(dataset(own_street, tracks=tracks[3:4]).batches(0))


def test_a_lone_sample_comes_twice(street):
    track = load_tracks(street / "train-tracks.json")[0]
    one = dataclasses.replace(track, frames=track.frames[:1], boxes=track.boxes[:1])
    (batch,) = dataset(street, tracks=[one]).batches(0)
    assert batch.boxes.shape == (2, 4, 4)
    assert len(batch.images) == 1


def test_a_track_without_descriptions_and_a_long_sentence_are_named(street):
    track = load_tracks(street / "train-tracks.json")[0]
    with pytest.raises(InputError, match=f"track {track.id}: nl is empty or missing"):
        dataset(street, tracks=[dataclasses.replace(track, nl=())])
    store = FrameStore(street)
    dataset(street, tracks=[dataclasses.replace(track, nl=("A red bus " * 20,))], store=store)
    assert store.notices.counts == {"text cut": 1}
