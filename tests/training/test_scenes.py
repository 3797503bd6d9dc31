"""Cameras and scenes from frame references, the split's laws, overlap between files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.cityflow import Track
from nlvr.engine.errors import InputError
from nlvr.training.scenes import camera, iou, overlapping, scene, split_by_scene


def track(name, frames, boxes=None):
    return Track(name, tuple(frames), np.array(boxes or [[0, 0, 10, 10]] * len(frames), np.float64))


@pytest.mark.parametrize(
    ("frame", "cameras", "scenes"),
    [
        ("train/S01/c001/img1/000001.jpg", "train/S01/c001", "S01"),
        ("S03/c010/img1/000001.jpg", "S03/c010", "S03"),
        ("data/city/S02/c007/000001.png", "data/city/S02/c007", "S02"),
        ("validation/lot/img1/000001.jpg", "validation/lot", "lot"),
        ("carpark/img1/000001.jpg", "carpark", "carpark"),
        ("crops/a.jpg", "crops", "crops"),
        ("cam_img1/a.jpg", "cam_img1", "cam_img1"),
        ("img1/a.jpg", ".", "."),
        ("a.jpg", ".", "."),
    ],
)
def test_camera_and_scene_of_a_reference(frame, cameras, scenes):
    assert (camera(track("t", [frame])), scene(track("t", [frame]))) == (cameras, scenes)


def test_a_track_of_two_cameras_is_refused():
    with pytest.raises(InputError, match="track t: its frames lie in S01/c001/img1, S02/c002/img1"):
        camera(track("t", ["S01/c001/img1/1.jpg", "S02/c002/img1/1.jpg"]))


@given(st.lists(st.sampled_from(["S01", "S02", "S03"]), min_size=1), st.sampled_from(["S01", "S02", "S03", ""]))
def test_the_held_out_scene_is_whole_and_alone(names, held_out):
    tracks = [track(str(row), [f"train/{name}/c{row % 3}/img1/1.jpg"]) for row, name in enumerate(names)]
    if held_out and held_out not in names:
        with pytest.raises(InputError, match=", ".join(sorted(set(names)))):
            split_by_scene(tracks, held_out)
        return
    if set(names) == {held_out}:
        with pytest.raises(InputError, match="every track is of that scene"):
            split_by_scene(tracks, held_out)
        return
    training, validation = split_by_scene(tracks, held_out)
    assert {scene(one) for one in validation} == ({held_out} if held_out else set())
    assert held_out not in {scene(one) for one in training}
    assert sorted(training + validation, key=lambda one: int(one.id)) == tracks


def test_overlap_is_the_same_box_in_the_same_frame():
    training = [track("a", ["c/1.jpg", "c/2.jpg"], [[0, 0, 10, 10], [50, 50, 10, 10]])]
    evaluation = [
        track("same", ["c/0.jpg", "c/2.jpg"], [[0, 0, 10, 10], [51, 50, 10, 10]]),
        track("elsewhere", ["c/1.jpg"], [[5, 0, 10, 10]]),
        track("another frame", ["c/3.jpg"], [[0, 0, 10, 10]]),
    ]
    assert overlapping(evaluation, training) == ["same"]


def test_iou_of_numbers_worked_out_by_hand():
    others = np.array([[0, 0, 4, 4], [2, 2, 4, 4], [4, 0, 4, 4], [1, 1, 2, 2]], np.float64)
    np.testing.assert_allclose(iou(np.array([0, 0, 4, 4.0]), others), [1, 4 / 28, 0, 4 / 16])
