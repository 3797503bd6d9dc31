"""Settings files: read strictly, refused by file and key, and written so that they read back equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlvr.engine.errors import InputError
from nlvr.training.settings import POSITIVE, SettingsFormat, system_of


@dataclass(frozen=True, slots=True)
class Engine:
    fuel: Literal["petrol", "diesel"]
    power: float = 1.5
    gears: tuple[int, ...] = (1, 2)
    maker: str = ""
    turbo: bool = False

    def __post_init__(self):
        if self.maker == "none":
            message = "maker is 'none', wanted a name"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Wheels:
    sizes: tuple[float, float] = (16.0, 16.0)


@dataclass(frozen=True, slots=True)
class Car:
    engine: Engine
    wheels: Wheels = field(default_factory=Wheels)


def faults(car):
    if car.engine.turbo and car.engine.power < 1:
        yield "engine.turbo", "too weak for one", "raise engine.power"


FORMAT = SettingsFormat(
    system="car",
    kind=Car,
    presets=("mini",),
    required=("engine.fuel",),
    ranges={"engine.power": POSITIVE, "engine.gears": POSITIVE},
    faults=faults,
)
MINIMAL = '[engine]\nfuel = "petrol"\n'


@pytest.fixture
def settings_file(tmp_path):
    def write(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return write


def test_absent_settings_take_their_defaults(settings_file):
    assert FORMAT.load(settings_file(MINIMAL)) == Car(Engine("petrol"))


@given(
    power=st.floats(min_value=1, max_value=1e300),
    gears=st.lists(st.integers(1, 2**60)),
    maker=st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "none"),
    turbo=st.booleans(),
    sizes=st.tuples(*2 * [st.floats(allow_nan=False, allow_infinity=False)]),
)
def test_what_is_written_reads_back_equal(tmp_path_factory, power, gears, maker, turbo, sizes):
    car = Car(Engine("diesel", power, tuple(gears), maker, turbo), Wheels(sizes))
    path = tmp_path_factory.getbasetemp() / "car.toml"
    path.write_text(FORMAT.to_toml(car), encoding="utf-8")
    assert FORMAT.load(path) == car
    assert system_of(path) == "car"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("engine.colour=red", "engine.colour"),
        ("engine.fuel=steam", "engine.fuel"),
        ("engine.fuel=['petrol']", "engine.fuel"),
        ("engine.power=0", "engine.power"),
        ("engine.power=nan", "engine.power"),
        ("engine.power=many", "engine.power"),
        ("engine.power=true", "engine.power"),
        ("engine.gears=3", "engine.gears"),
        ("engine.gears=[1, 0]", "engine.gears"),
        ("engine.gears=[1.0]", "engine.gears"),
        ("engine.maker=3", "engine.maker"),
        ("engine.turbo=1", "engine.turbo"),
        ("wheels.sizes=[16]", "wheels.sizes"),
    ],
)
def test_a_bad_value_is_refused_by_file_and_key(override, key, settings_file):
    path = settings_file(MINIMAL)
    with pytest.raises(InputError) as refusal:
        FORMAT.load(path, overrides=[override])
    assert str(refusal.value).startswith(f"{path}: {key}: ")


def test_what_a_section_itself_refuses_is_refused_by_its_key(settings_file):
    path = settings_file(f"{MINIMAL}maker = 'none'\n")
    with pytest.raises(InputError) as refusal:
        FORMAT.load(path)
    assert str(refusal.value) == f"{path}: engine.maker: is 'none', wanted a name; change it"


def test_values_that_do_not_fit_together_are_refused(settings_file):
    path = settings_file(f"{MINIMAL}turbo = true\n")
    FORMAT.load(path)
    with pytest.raises(InputError, match=r"engine\.turbo: too weak for one; raise engine\.power"):
        FORMAT.load(path, overrides=["engine.power=0.5"])


def test_a_required_setting_that_is_absent_is_refused(settings_file):
    with pytest.raises(InputError, match=r"engine\.fuel: absent"):
        FORMAT.load(settings_file("[wheels]\n"))


@pytest.mark.parametrize("override", ["fuel=diesel", "engine.fuel", "boat.fuel=diesel"])
def test_an_override_that_names_no_setting_is_refused(override, settings_file):
    with pytest.raises(InputError, match=r"section\.key=value"):
        FORMAT.load(settings_file(MINIMAL), overrides=[override])


def test_an_override_replaces_the_files_setting(settings_file):
    car = FORMAT.load(settings_file(MINIMAL), overrides=["engine.fuel=diesel", "engine.gears=[7]"])
    assert car.engine == Engine("diesel", gears=(7,))


@pytest.mark.parametrize("text", ["engine = 3\n", f"{MINIMAL}[boat]\n"])
def test_a_section_that_is_unknown_or_no_table_is_refused(text, settings_file):
    with pytest.raises(InputError, match=r"no section of this name; the sections are engine, wheels"):
        FORMAT.load(settings_file(text), overrides=["engine.fuel=diesel"])


def test_another_systems_settings_are_refused(settings_file):
    path = settings_file(f'system = "boat"\n{MINIMAL}')
    assert system_of(path) == "boat"
    with pytest.raises(InputError, match="system: these are settings of 'boat'; give settings of car"):
        FORMAT.load(path)


def test_a_file_may_leave_its_system_unsaid_and_not_misstate_it(settings_file):
    assert system_of(settings_file(MINIMAL)) is None
    with pytest.raises(InputError, match=r"system: 3 does not fit"):
        system_of(settings_file(f"system = 3\n{MINIMAL}"))


def test_a_file_that_cannot_be_read_is_refused_with_the_presets_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.toml: cannot be read .*; give a TOML file or one of mini"):
        FORMAT.load(tmp_path / "absent.toml")
    with pytest.raises(InputError, match=r"absent\.toml: cannot be read .*; give a TOML file$"):
        system_of(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", [b"[engine\n", b"\xff\xfe"])
def test_a_file_that_is_not_toml_is_refused(content, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not TOML"):
        FORMAT.load(path)
