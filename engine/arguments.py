"""Checks of what a Python caller hands over: what is of the wrong type is refused by the argument's name."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from .errors import InputError

T = TypeVar("T")

NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def say(value: object) -> str:
    """Return what a value is, in words that follow `is`."""
    if value is None:
        return "missing"
    name = NAMES.get(type(value))
    return f"of type {type(value).__name__}" if name is None else f"{name} ({reprlib.repr(value)})"


def whole_number(place: str, value: object, *, least: int, most: int | None = None) -> int:
    """Return a whole number. Raises InputError for what is none, or lies outside `least` to `most`."""
    wanted = f"{least} or more" if most is None else f"{least} to {most}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(place, f"is {say(value)}", f"give a whole number, {wanted}")
    if value < least or (most is not None and value > most):
        raise InputError(place, f"is {value}", f"give {wanted}")
    return int(value)


def check_kind(place: str, value: object, kind: type, remedy: str) -> None:
    """Raise InputError for a value that is not of a kind."""
    if not isinstance(value, kind):
        raise InputError(place, f"is {say(value)}", remedy)


def items(place: str, values: Iterable[object], kind: type[T], remedy: str) -> list[T]:
    """Return values that are all of one kind. Raises InputError naming the first that is not."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InputError(place, f"is {say(values)}", remedy)
    found: list[T] = []
    for number, value in enumerate(values):
        if not isinstance(value, kind):
            field = f"{place}[{number}]"
            raise InputError(field, f"is {say(value)}", remedy)
        found.append(value)
    return found


def path_of(place: str, value: object) -> Path:
    """Return a path. Raises InputError for what is neither text nor a path, or no file can be called."""
    if not isinstance(value, str | os.PathLike) or "\0" in str(value):
        raise InputError(place, f"is {say(value)}", "give a path")
    return Path(value)
