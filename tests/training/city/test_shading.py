"""Cameras take away most of the light's tint and strength, and never all of everyone's."""

import numpy as np
import pytest

from nlvr.training.city.shading import Film, make_sky
from nlvr.training.city.world import Light

CAMERAS = [f"c{number:03}" for number in range(40)]
WARM = np.array([[0.0, 0.0, 8.0, 34.0, 22.4, 10.9]])
LIGHTS = {
    kind: Light(kind, azimuth=1.0, elevation=height, rain=0.0)
    for kind, height in (("noon", 0.9), ("dusk", 0.15), ("overcast", 0.6), ("night", 0.0))
}


def tint(light):
    """How much bluer than red, in natural logarithms."""
    return np.log(light[..., 2] / light[..., 0])


@pytest.mark.parametrize("kind", LIGHTS)
def test_white_paper_on_level_ground_is_nearly_grey(kind):
    sky = make_sky(LIGHTS[kind], 5)
    light = sky.level(WARM)
    seen = np.array([tint(light * Film(sky, 5, camera, WARM).gain) for camera in CAMERAS])
    left = seen.mean() / tint(light)
    assert abs(seen).max() < 0.3 * abs(tint(light)) + 0.1
    assert 0.05 < left < 0.25 or abs(tint(light)) < 0.05
    assert np.ptp(seen) > 0.05


def test_cameras_open_in_dim_light_and_close_in_sun():
    luma = np.array([0.30, 0.59, 0.11])
    skies = {kind: make_sky(light, 5) for kind, light in LIGHTS.items()}
    light = {kind: float(sky.level(WARM) @ luma) for kind, sky in skies.items()}
    seen = {
        kind: np.array([float(sky.level(WARM) * Film(sky, 5, camera, WARM).gain @ luma) for camera in CAMERAS])
        for kind, sky in skies.items()
    }
    days = [np.exp(np.log(seen[kind]).mean()) for kind in ("noon", "dusk", "overcast")]
    assert light["noon"] > 2.5 * light["dusk"]
    assert max(days) < 1.8 * min(days)
    # At night a camera opens as far as it can, which is not far enough.
    assert 2 * light["night"] < seen["night"].mean() < min(days)
    assert all(np.ptp(np.log(values)) > 0.2 for values in seen.values())


def test_lamps_tint_the_ground_at_night_alone():
    night, noon = make_sky(LIGHTS["night"], 5), make_sky(LIGHTS["noon"], 5)
    nowhere = np.zeros((0, 6))
    assert tint(night.level(WARM)) < tint(night.level(nowhere)) - 0.3
    assert np.array_equal(noon.level(WARM), noon.level(nowhere))
