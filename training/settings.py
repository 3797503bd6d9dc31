"""Settings in one TOML file: read strictly into frozen dataclasses, written back beside each checkpoint.

A system's configuration is a dataclass whose fields are dataclasses, the tables of its file. `SettingsFormat` reads it;
what it does not know or cannot use is refused by file, section and key.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from nlvr.engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Config = TypeVar("Config")
Range = tuple[Callable[[Any], bool], str]
"""What a value must satisfy, and the words for it."""
Fault = tuple[str, str, str]
"""The setting, what is the matter with it, and the remedy."""

POSITIVE: Range = (lambda value: value > 0, "above zero")
NOT_NEGATIVE: Range = (lambda value: value >= 0, "zero or more")
SHARE: Range = (lambda value: 0 <= value <= 1, "between 0 and 1")

_SYSTEM = "system"  # the one key outside the sections
_TYPES: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "a text in quotes"}
_PRESET_DIRECTORY = Path(__file__).resolve().parent / "presets"


@dataclass(frozen=True, slots=True)
class SettingsFormat(Generic[Config]):
    """How the settings of one system are read.

    system: its name, the `system` of its files and the prefix of its presets' names.
    kind: the configuration, a dataclass of dataclasses.
    presets: names of files in `training/presets/`, without the prefix.
    required: "section.key" that a file must give.
    ranges: what single values must satisfy, by "section.key"; of a list, each item.
    faults: finds values that are fine alone and not beside each other.
    """

    system: str
    kind: type[Config]
    presets: tuple[str, ...]
    required: tuple[str, ...]
    ranges: Mapping[str, Range]
    faults: Callable[[Config], Iterable[Fault]]

    def load(self, source: str | Path, *, overrides: Sequence[str] = ()) -> Config:
        """Read a preset or the TOML file at a path.

        overrides: settings that replace the file's, each as "section.key=value", e.g. "schedule.epochs=3".
        Raises InputError naming the file and the key for an unreadable file, an unknown key or a bad value.
        """
        path = _PRESET_DIRECTORY / f"{self.system}-{source}.toml" if source in self.presets else Path(source)
        tables = _read(path, self.presets)
        system = tables.pop(_SYSTEM, self.system)
        if system != self.system:
            raise _refusal(path, _SYSTEM, f"these are settings of {system!r}", f"give settings of {self.system}")
        sections = get_type_hints(self.kind)
        for name, table in tables.items():
            if name not in sections or not isinstance(table, dict):
                raise _refusal(path, name, "no section of this name", f"the sections are {', '.join(sections)}")
        for override in overrides:
            _override(tables, override, sections)
        for section, key in (name.split(".") for name in self.required):
            if key not in tables.get(section, {}):
                raise _refusal(path, f"{section}.{key}", "absent", "give a value, as the presets do")
        config = self.kind(**{name: self._section(kind, name, tables, path) for name, kind in sections.items()})
        for fault in self.faults(config):
            raise _refusal(path, *fault)
        return config

    def to_toml(self, config: Config) -> str:
        """Return the TOML text that `load` reads back to an equal object."""
        tables = [f"{_SYSTEM} = {_toml_value(self.system)}\n"]
        for section, table in asdict(config).items():
            lines = [f"[{section}]", *(f"{key} = {_toml_value(value)}" for key, value in table.items())]
            tables.append("\n".join(lines) + "\n")
        return "\n".join(tables)

    def _section(self, kind: type, section: str, tables: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401
        table, hints = tables.get(section, {}), get_type_hints(kind)
        for key in table:
            if key not in hints:
                raise _refusal(path, f"{section}.{key}", "unknown key", f"[{section}] takes {', '.join(hints)}")
        values = {key: self._value(value, hints[key], f"{section}.{key}", path) for key, value in table.items()}
        try:
            return kind(**values)
        except ValueError as error:  # a class with rules of its own names the field first
            key, _, fact = str(error).partition(" ")
            raise _refusal(path, f"{section}.{key}", fact, "change it") from error

    def _value(self, value: object, hint: object, name: str, path: Path) -> Any:  # noqa: ANN401
        """Return one TOML value as the type of its field, within its allowed range."""
        if get_origin(hint) is tuple:
            of, *rest = get_args(hint)
            count = None if rest == [...] else 1 + len(rest)
            if not isinstance(value, list) or count not in (None, len(value)):
                raise _unfit(path, name, value, "a list" if count is None else f"a list of {count} values")
            return tuple(self._value(item, of, name, path) for item in value)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise _unfit(path, name, value, f"one of {', '.join(get_args(hint))}")
            return value
        if hint is float and type(value) is int:
            value = float(value)
        if type(value) is not hint:
            raise _unfit(path, name, value, _TYPES[hint])
        if isinstance(value, float) and not math.isfinite(value):
            raise _unfit(path, name, value, "a finite number")
        accepts, wanted = self.ranges.get(name, (lambda _: True, ""))
        if not accepts(value):
            raise _unfit(path, name, value, wanted)
        return value


def system_of(path: Path) -> str | None:
    """Return the system that a settings file says it is of, None where it says nothing.

    Raises InputError when the file cannot be read or names a system by something other than text.
    """
    system = _read(path).get(_SYSTEM)
    if system is not None and not isinstance(system, str):
        raise _unfit(path, _SYSTEM, system, _TYPES[str])
    return system


def _read(path: Path, presets: Sequence[str] = ()) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = " or one of ".join(["give a TOML file", *filter(None, [", ".join(presets)])])
        raise InputError(path, f"cannot be read ({error.strerror})", remedy) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not TOML ({error})", "mend the file") from error


def _override(tables: dict[str, Any], override: str, sections: Mapping[str, type]) -> None:
    name, equals, text = override.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section in sections):
        raise InputError(override, "is no setting", "write section.key=value, e.g. schedule.epochs=3")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word is a text, so that a shell needs no quotes inside quotes
    tables.setdefault(section, {})[key] = value


def _unfit(path: Path, name: str, value: object, wanted: str) -> InputError:
    return _refusal(path, name, f"{value!r} does not fit", f"give {wanted}")


def _refusal(path: Path, name: str, fact: str, remedy: str) -> InputError:
    where = f"{path}: {name}"
    return InputError(where, fact, remedy)


def _toml_value(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(
            "\x7f", "\\u007f"
        )  # the one that TOML escapes and JSON not
    return repr(value).lower() if isinstance(value, bool) else repr(value)
