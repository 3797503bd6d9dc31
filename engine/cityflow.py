"""CityFlow-NL files: tracks, queries, truths and submissions, read, checked and written.

Every loader returns its records sorted by id, so the order of a file never reaches a ranking or a tie-break.
"""

from __future__ import annotations

import json
import reprlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import check_kind, items, path_of, say
from .errors import FrameError, InputError
from .output import write_whole

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

FARTHEST = 1e6  # pixels; beyond any image, and within what drawing and an overlong integer's float can hold


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One vehicle seen by one camera.

    frames: T references below the frames' root.  boxes: float64 [T, 4], x, y, w, h in pixels, one a frame.
    nl, nl_other_views: descriptions of this view and of the same vehicle elsewhere, where the file has them.
    source: the file it was read from, for what must be said of it later.
    Raises InputError for frames and boxes that do not go together, FrameError for a reference that leaves the root.
    """

    id: str
    frames: tuple[str, ...]
    boxes: NDArray[np.float64]
    nl: tuple[str, ...] = ()
    nl_other_views: tuple[str, ...] = ()
    source: str | None = None

    @property
    def place(self) -> str:
        """Where an error about it points: its file, where it has one, and its id."""
        return f"track {self.id}" if self.source is None else f"{self.source}: track {self.id}"

    def __post_init__(self) -> None:
        place = self.place
        check_kind("track", self.id, str, "give an id that is text")
        if isinstance(self.frames, str) or not isinstance(self.frames, Sequence):
            raise InputError(place, f"frames is {say(self.frames)}", "give a tuple of references")
        if not isinstance(self.boxes, np.ndarray) or self.boxes.shape != (len(self.frames), 4) or not self.frames:
            shape = getattr(self.boxes, "shape", type(self.boxes).__name__)
            fact = f"has {len(self.frames)} frames and boxes of {shape}"
            raise InputError(place, fact, "give at least one frame, and boxes as float64 [frames, 4]")
        if self.boxes.dtype != np.float64 or not (np.abs(self.boxes) < FARTHEST).all():
            raise InputError(place, "holds a box that is no float64 or beyond any image", "correct the boxes")
        if not (self.boxes[:, 2:] > 0).all():
            raise InputError(place, "holds a box of no size", "width and height must be above 0")
        references = tuple(frame_reference(place, row, reference) for row, reference in enumerate(self.frames))
        object.__setattr__(self, "frames", references)


@dataclass(frozen=True, slots=True)
class Query:
    """Sentences that describe one vehicle. `nl_other_views` hold for its colour and type, not for motion or place.

    Raises InputError for a query without a sentence.
    """

    id: str
    nl: tuple[str, ...]
    nl_other_views: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        place = f"query {self.id}"
        check_kind("query", self.id, str, "give an id that is text")
        for field in ("nl", "nl_other_views"):
            value = getattr(self, field)
            object.__setattr__(
                self, field, _sentences(place, field, list(value) if isinstance(value, tuple) else value)
            )
        if not self.nl:
            raise InputError(place, "nl is empty", "a query has at least one sentence")


def load_tracks(path: str | Path) -> list[Track]:
    """Read a tracks file: id → {frames, boxes, nl?, nl_other_views?}; other keys are ignored.

    Raises InputError naming file, track and field; FrameError for a reference that is absolute or leaves the root.
    """
    records = read_object(path)
    if not records:
        raise InputError(path, "holds no tracks", "give a file with at least one")
    return [_track(path, key, records[key]) for key in sorted(records)]


def load_queries(path: str | Path) -> list[Query]:
    """Read a queries file: id → list of sentences (2021) or {nl, nl_other_views?} (2022, 2023).

    Raises InputError naming file, query and field.
    """
    records = read_object(path)
    if not records:
        raise InputError(path, "holds no queries", "give a file with at least one")
    return [_query(path, key, records[key]) for key in sorted(records)]


def load_truth(
    path: str | Path,
    *,
    query_ids: Collection[str],
    track_ids: Collection[str] | None = None,
    queries_file: str | Path = "the queries file",
) -> dict[str, str]:
    """Read a truth file: query id → track id, every id known; track ids are not checked where `track_ids` is None.

    Raises InputError for an unknown id, or for a query of `query_ids` that the truth leaves out.
    """
    truth = read_object(path)
    for query, track in truth.items():
        place = f"{path}: query {query}"
        if not isinstance(track, str):
            raise InputError(place, f"is {say(track)}", "a truth maps each query id to one track id")
        if query not in query_ids:
            raise InputError(place, f"is not in {queries_file}", "remove it or add the query")
        if track_ids is not None and track not in track_ids:
            raise InputError(place, f"track {_one_line(track)} is not in the tracks file", "correct the id")
    for query in sorted(query_ids):
        place = f"{path}: query {query}"
        if query not in truth:
            raise InputError(place, "has no track", "a truth names one for every query")
    return dict(sorted(truth.items()))


def load_submission(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read a submission: query id → track ids, best first, none twice."""
    records = read_object(path)
    if not records:
        raise InputError(path, "holds no rankings", "give a submission with at least one query")
    submission = {}
    for query, ids in sorted(records.items()):
        place = f"{path}: query {query}"
        if not isinstance(ids, list) or not all(isinstance(track, str) for track in ids):
            raise InputError(place, "is not a list of track ids", "a submission maps query id to such a list")
        if len(set(ids)) != len(ids):
            raise InputError(place, f"names track {_one_line(_repeated(ids))} twice", "a ranking names each track once")
        submission[query] = tuple(ids)
    return submission


def write_submission(path: str | Path, rankings: Mapping[str, Sequence[str]]) -> None:
    """Write query id → track ids, best first, whole or not at all. Raises OutputError, InputError for other records."""
    check_kind(
        "rankings", rankings, Mapping, "give query id -> track ids, such as a ranking's `track_ids` by its query"
    )
    for query in items("rankings", rankings, str, "give query ids that are text"):
        items(f"rankings of {query}", rankings[query], str, "give a list of track ids")
    write_whole(path, submission_bytes(rankings))


def submission_bytes(rankings: Mapping[str, Sequence[str]]) -> bytes:
    """Return a submission as the content of its file."""
    text = json.dumps({query: list(tracks) for query, tracks in sorted(rankings.items())}, indent=1)
    return f"{text}\n".encode()


def read_object(path: str | Path) -> dict[str, Any]:
    """Read a JSON file of records by id. Raises InputError for one that is none, or repeats an id or a key."""
    path = path_of("path", path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror or error})", "check the path") from error
    except UnicodeDecodeError as error:
        raise InputError(path, f"is not UTF-8 (byte {error.start})", "save it as UTF-8") from error

    twice: list[tuple[str, dict[str, Any]]] = []

    def record_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        if len(record) != len(pairs):
            twice.append((_repeated(key for key, _ in pairs), record))
        return record

    try:
        value = json.loads(text, object_pairs_hook=record_of)
    except json.JSONDecodeError as error:
        raise InputError(
            path, f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})", "correct it"
        ) from error
    except RecursionError as error:
        raise InputError(path, "is nested too deeply to be read", "give an object of records") from error
    except ValueError as error:
        raise InputError(path, f"holds a number that cannot be read ({error})", "correct it") from error
    if not isinstance(value, dict):
        raise InputError(path, f"is {say(value)}", "wanted an object that maps ids to records")
    if twice:
        key, record = twice[0]
        owner = next((f" {owner}:" for owner, held in value.items() if held is record), "")
        place = f"{path}:{owner} {key}"
        raise InputError(_one_line(place), "stands twice in one object", "remove one of them")
    for key in value:
        if not key.strip():
            raise InputError(path, "an id is empty", "give every record an id")
        if key != _one_line(key):
            raise InputError(path, f"id {key!r} holds a control character or half a character", "correct the id")
    return value


def _repeated(items: Iterable[str]) -> str:
    """Return the first item that was there before."""
    seen: set[str] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    message = "no item repeats"
    raise ValueError(message)


def _one_line(text: str) -> str:
    """Return `text` with escapes for what ends a line, controls a terminal, or is no whole character."""
    if text.isprintable():
        return text
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)


def _track(path: str | Path, key: str, record: Any) -> Track:  # noqa: ANN401
    place = f"{path}: track {key}"
    if not isinstance(record, dict):
        raise InputError(place, f"is {say(record)}", "wanted an object with frames and boxes")
    for field in ("frames", "boxes"):
        if not isinstance(record.get(field), list):
            raise InputError(place, f"{field} is {say(record.get(field))}", "wanted a list")
    frames, boxes = record["frames"], record["boxes"]
    if not frames:
        raise InputError(place, "frames is empty", "a track has at least one frame")
    if len(frames) != len(boxes):
        raise InputError(place, f"has {len(frames)} frames and {len(boxes)} boxes", "give one box a frame")
    references = tuple(frame_reference(place, row, frame) for row, frame in enumerate(frames))
    return Track(
        id=key,
        frames=references,
        boxes=_boxes(place, boxes),
        nl=_sentences(place, "nl", record.get("nl", [])),
        nl_other_views=_sentences(place, "nl_other_views", record.get("nl_other_views", [])),
        source=str(path),
    )


def _query(path: str | Path, key: str, record: Any) -> Query:  # noqa: ANN401
    place = f"{path}: query {key}"
    if isinstance(record, list):
        record = {"nl": record}
    if not isinstance(record, dict):
        raise InputError(place, f"is {say(record)}", "wanted a list of sentences or an object with nl")
    sentences = _sentences(place, "nl", record.get("nl"))
    if not sentences:
        raise InputError(place, "nl is empty", "a query has at least one sentence")
    others = _sentences(place, "nl_other_views", record.get("nl_other_views", []))
    return Query(id=key, nl=sentences, nl_other_views=others)


def query_from_text(text: str, *, place: str = "description") -> Query:
    """Return a query of the one sentence `text`, its own id. Raises InputError when it is empty."""
    return Query(id=text, nl=_sentences(place, "text", [text]))


def frame_reference(place: str, row: int, value: Any) -> str:  # noqa: ANN401
    """Return a reference without `./`, or raise InputError, or FrameError when it is absolute or leaves the root."""
    field = f"{place}: frames[{row}]"
    if not isinstance(value, str) or not value or value != _one_line(value):
        raise InputError(field, f"is {say(value)}", "wanted a path below the frames' root")
    if value.startswith("/"):
        raise FrameError(field, f"{value!r} is absolute", "give a path below the frames' root")
    parts: list[str] = []
    for part in value.split("/"):
        if part in {"", "."}:
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            raise FrameError(field, f"{value!r} leaves the frames' root", "give a path below it")
    if not parts:
        raise InputError(field, f"{value!r} names no file", "give a path below the frames' root")
    return "/".join(parts)


def _boxes(place: str, boxes: Iterable[Any]) -> NDArray[np.float64]:
    rows = []
    for row, box in enumerate(boxes):
        field = f"{place}: boxes[{row}]"
        if not isinstance(box, list) or len(box) != 4:
            raise InputError(field, f"is {say(box)}", "wanted [x, y, w, h] in pixels")
        if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in box):
            fact = f"{reprlib.repr(box)} holds something that is not a number"
            raise InputError(field, fact, "wanted [x, y, w, h] in pixels")
        if not all(abs(value) < FARTHEST for value in box):
            fact = f"{reprlib.repr(box)} holds a value that is not finite or beyond any image"
            raise InputError(field, fact, "wanted [x, y, w, h] in pixels")
        x, y, width, height = (float(value) for value in box)
        if x + width <= x or y + height <= y:
            raise InputError(field, f"{reprlib.repr(box)} has no size", "width and height must be above 0")
        rows.append(box)
    array = np.asarray(rows, np.float64)
    array.setflags(write=False)
    return array


def _sentences(place: str, field: str, value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(value, list):
        raise InputError(place, f"{field} is {say(value)}", "wanted a list of sentences")
    for row, sentence in enumerate(value):
        item = f"{place}: {field}[{row}]"
        if not isinstance(sentence, str):
            raise InputError(item, f"is {say(sentence)}", "wanted a sentence")
        if not any(character.isalnum() for character in sentence):
            raise InputError(item, f"{reprlib.repr(sentence)} says nothing", "write a description")
        try:
            sentence.encode()
        except UnicodeEncodeError as error:
            raise InputError(item, f"is not valid Unicode ({error.reason})", "correct it") from error
    return tuple(value)
