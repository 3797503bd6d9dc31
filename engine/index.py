"""TrackIndex: the vectors of a gallery of tracks, in memory or in one file."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np

from .errors import InputError, ScoreError, VectorsMismatchError
from .feature_maps import View
from .notices import Kind
from .output import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .cityflow import Track
    from .feature_maps import FeatureMaps

# Of each array in a file: numpy's kind of type, and the number of dimensions.
FIELDS = {
    "track_ids": ("U", 1),
    "vectors": ("f", 2),
    "digests": ("U", 1),
    "warnings": ("U", 2),
    "embedding_id": ("U", 0),
    "frames_per_track": ("U", 0),
}
SHOT_FIELDS = {
    "shot_frames": ("U", 1),
    "shot_positions": ("i", 1),
    "shot_sizes": ("i", 2),
    "shot_parts": ("i", 2),
    "shot_cells": ("i", 2),
    "shot_offsets": ("i", 1),
}
PLACE, REMEDY = "index", "encode the tracks again"


@dataclass(frozen=True, slots=True, eq=False)
class QueryVectors:
    """Encoded queries.

    query_ids: Q ids.  vectors: float32 [Q, D].  embedding_id: of the bundle that made the vectors.
    sentences: sentence → its own vector, float32 [D]; what a query's sentences say only together is not in it.
    """

    query_ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    sentences: Mapping[str, NDArray[np.float32]]
    embedding_id: str


@dataclass(frozen=True, eq=False)
class Shots:
    """The frames that show each of N tracks, and where: S shots, those of row n at offsets[n] to offsets[n + 1] − 1.

    frames: S references.  positions: int64 [S], rows in their tracks' boxes.  offsets: int64 [N + 1].
    sizes: int32 [S, 2], of the frames, width and height in pixels.  parts: int32 [S, 4], what of them is shown, in
    pixels, and cells: int32 [S, 4], the boxes on its feature map, both x0, y0, x1, y1, half-open.
    Raises InputError for parts that do not go together.
    """

    frames: tuple[str, ...]
    positions: NDArray[np.int64]
    sizes: NDArray[np.int32]
    parts: NDArray[np.int32]
    cells: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.frames)
        shapes = (self.positions.shape, self.sizes.shape, self.parts.shape, self.cells.shape)
        whole = shapes == ((count,), (count, 2), (count, 4), (count, 4)) and len(self.offsets) > 1
        if not whole or self.offsets[0] != 0 or self.offsets[-1] != count or (np.diff(self.offsets) < 1).any():
            raise InputError(PLACE, "holds shots of tracks that do not go together", REMEDY)
        if (self.parts[:, 2:] > self.sizes).any() or self.positions.min() < 0:
            raise InputError(PLACE, "holds a shot of what no frame shows", REMEDY)
        for name, corners in (("box", self.cells), ("part of a frame", self.parts)):
            if (corners[:, 2:] <= corners[:, :2]).any() or corners.min() < 0:
                raise InputError(PLACE, f"holds a shot of an empty {name}", REMEDY)

    @cached_property
    def views(self) -> tuple[View, ...]:
        """What each shot shows: S views."""
        return tuple(map(View, self.frames, map(tuple, self.sizes.tolist()), map(tuple, self.parts.tolist())))

    @cached_property
    def sights(self) -> NDArray[np.int64]:
        """The number of each shot's view and cells among the distinct ones: int64 [S]."""
        numbers: dict[tuple[View, bytes], int] = {}
        pairs = zip(self.views, self.cells, strict=True)
        return np.array([numbers.setdefault((view, cells.tobytes()), len(numbers)) for view, cells in pairs], np.int64)

    @cached_property
    def tracks(self) -> NDArray[np.int64]:
        """The row of each shot's track: int64 [S]."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """What a system makes of N tracks: vectors float32 [N, D], and for one that looks at frames again, these."""

    vectors: NDArray[np.float32]
    shots: Shots | None = None
    maps: FeatureMaps | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrackIndex:
    """Track vectors in the order of their ids, so that a row number is the tie-break.

    track_ids: N ids, sorted.  vectors: float32 [N, D].  digests: N fingerprints of the tracks' frames and boxes.
    embedding_id: of the bundle that made the vectors.  frames_per_track: the rule that chose the frames.
    warnings: what the frames' store counted meanwhile, as (kind, place); they hold wherever the vectors are used.
    shots, maps: for a system that looks at frames again when it ranks. Maps are not saved.
    Raises InputError for parts that do not go together, ScoreError naming the first track whose vector is not finite.
    """

    track_ids: tuple[str, ...]
    vectors: NDArray[np.float32]
    digests: tuple[str, ...]
    embedding_id: str
    frames_per_track: str
    warnings: tuple[tuple[Kind, str], ...] = ()
    shots: Shots | None = None
    maps: FeatureMaps | None = None

    def __post_init__(self) -> None:
        if self.vectors.dtype != np.float32 or self.vectors.ndim != 2:
            fact = f"holds {self.vectors.dtype} {list(self.vectors.shape)}, not float32 [N, D]"
            raise InputError(PLACE, fact, REMEDY)
        if not len(self.vectors) == len(self.track_ids) == len(self.digests):
            raise InputError(PLACE, "holds unequal numbers of vectors, track ids and digests", REMEDY)
        if list(self.track_ids) != sorted(set(self.track_ids)):
            raise InputError(PLACE, "holds track ids twice or out of order", REMEDY)
        if self.shots is not None and len(self.shots.offsets) != len(self) + 1:
            raise InputError(PLACE, "holds shots of another number of tracks", REMEDY)
        finite = np.isfinite(self.vectors).all(axis=1)
        if not finite.all():
            place = f"track {self.track_ids[int(np.argmin(finite))]}"
            raise ScoreError(place, "its vector is not a finite number", "check its frames, or the bundle's precision")

    def __len__(self) -> int:
        return len(self.track_ids)

    def save(self, path: str | Path) -> None:
        """Write the index as one `.npz`, whole or not at all. Raises OutputError."""
        write_whole(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the index as the content of an `.npz`."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            track_ids=np.array(self.track_ids, np.str_),
            vectors=self.vectors,
            digests=np.array(self.digests, np.str_),
            embedding_id=np.array(self.embedding_id),
            frames_per_track=np.array(self.frames_per_track),
            warnings=np.array(self.warnings, np.str_).reshape(-1, 2),
            **cast("Any", {} if self.shots is None else _shot_arrays(self.shots)),
        )
        return buffer.getvalue()

    @classmethod
    def load(cls, path: str | Path) -> TrackIndex:
        """Read what `save` wrote. Raises InputError for a file that is none."""
        remedy = "name another file, or remove this one"
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                fields = FIELDS | (SHOT_FIELDS if "shot_frames" in arrays.files else {})
                older = "shot_frames" in arrays.files and not fields.keys() <= set(arrays.files)
                values = {} if older else {name: arrays[name] for name in fields}
        except FileNotFoundError as error:
            raise InputError(path, "does not exist", "check the path") from error
        except Exception as error:  # numpy, zipfile and zlib raise a dozen types for a damaged file
            raise InputError(path, "is no file of track vectors, or a damaged one", remedy) from error
        if older:
            fact = "was written before an index said what of its frames is shown"
            raise InputError(path, fact, "encode the tracks again, into another file")
        kinds = {name: (array.dtype.kind, array.ndim) for name, array in values.items()}
        if kinds != fields:
            raise InputError(path, "holds arrays of other types or shapes than track vectors have", remedy)
        warnings = values["warnings"].tolist()
        if values["warnings"].shape[1] != 2 or not {kind for kind, _ in warnings} <= set(get_args(Kind)):
            raise InputError(path, "holds warnings of a kind that is unknown", remedy)
        try:
            return cls(
                track_ids=tuple(values["track_ids"].tolist()),
                vectors=values["vectors"].astype(np.float32, copy=False),
                digests=tuple(values["digests"].tolist()),
                embedding_id=str(values["embedding_id"]),
                frames_per_track=str(values["frames_per_track"]),
                warnings=tuple((kind, place) for kind, place in warnings),
                shots=_shots(values) if "shot_frames" in values else None,
            )
        except InputError as error:
            raise InputError(path, f"holds what does not go together ({error})", remedy) from error

    def check_fits(
        self, path: str | Path, tracks: Sequence[Track], *, embedding_id: str, frames_per_track: str
    ) -> None:
        """Refuse stored vectors that would not be the ones encoded now. Raises VectorsMismatchError saying why."""
        remedy = "remove the file or name another"
        if self.embedding_id != embedding_id:
            fact = f"was made by bundle {self.embedding_id[:12]}…, and this one is {embedding_id[:12]}…"
            raise VectorsMismatchError(path, fact, remedy)
        if self.frames_per_track != frames_per_track:
            fact = f"was made with --frames-per-track {self.frames_per_track}, and {frames_per_track} is asked for"
            raise VectorsMismatchError(path, fact, remedy)
        stored = dict(zip(self.track_ids, self.digests, strict=True))
        wanted = {track.id: track_digest(track) for track in tracks}
        for key in sorted(stored.keys() | wanted.keys()):
            if stored.get(key) != wanted.get(key):
                state = "is not in it" if key not in stored else "is only in it" if key not in wanted else "differs"
                raise VectorsMismatchError(path, f"holds other tracks: track {key} {state}", remedy)


def _shot_arrays(shots: Shots) -> dict[str, NDArray[Any]]:
    return {
        "shot_frames": np.array(shots.frames, np.str_),
        "shot_positions": shots.positions,
        "shot_sizes": shots.sizes,
        "shot_parts": shots.parts,
        "shot_cells": shots.cells,
        "shot_offsets": shots.offsets,
    }


def _shots(values: Mapping[str, NDArray[Any]]) -> Shots:
    return Shots(
        frames=tuple(values["shot_frames"].tolist()),
        positions=values["shot_positions"].astype(np.int64, copy=False),
        sizes=values["shot_sizes"].astype(np.int32, copy=False),
        parts=values["shot_parts"].astype(np.int32, copy=False),
        cells=values["shot_cells"].astype(np.int32, copy=False),
        offsets=values["shot_offsets"].astype(np.int64, copy=False),
    )


def track_digest(track: Track) -> str:
    """Return a fingerprint of a track's frames and boxes; equal for tracks that no system can tell apart."""
    content = hashlib.sha256("\n".join(track.frames).encode())
    content.update(np.ascontiguousarray(track.boxes, "<f8").tobytes())
    return content.hexdigest()
