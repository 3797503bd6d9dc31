"""Engine: opens a bundle, encodes a gallery once, and ranks it for descriptions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np

from . import kernels
from .arguments import check_kind, items, whole_number
from .bundle import Bundle, open_bundle
from .cityflow import Query, Track, query_from_text
from .errors import InputError, KernelsUnavailableError, VectorsMismatchError
from .frames import FrameStore
from .index import QueryVectors, TrackIndex, track_digest
from .notices import Notices
from .ranking import Ranking, rank
from .runtime.devices import usable_cpus
from .sampling import check_rule
from .systems import open_system

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .mask_view import MaskView
    from .systems import Progress

FEATURE_BYTES = 2 * 2**30


class Engine:
    """One bundle on one device. Safe to ask from several threads at once.

    bundle: its folder, or one that is open.  device: `auto`, `cpu`, `cuda` or `tensorrt`; one that is named is used or
    refused.  threads: graph runs and ranking tasks at once, by default the CPUs this process may use.
    batch_size: rows in flight; it changes speed alone.  feature_bytes: of an index's feature maps held in memory, for a
    system that has any; what is beyond is in a temporary file.
    Raises BundleError, DeviceUnavailableError, KernelsUnavailableError, InputError. Once it is closed, or for an
    argument of another type, a method raises InputError.
    """

    def __init__(
        self,
        bundle: str | Path | Bundle,
        *,
        device: str = "auto",
        threads: int | None = None,
        batch_size: int | None = None,
        feature_bytes: int = FEATURE_BYTES,
    ) -> None:
        for option, value, least in (
            ("threads", threads, 1),
            ("batch_size", batch_size, 1),
            ("feature_bytes", feature_bytes, 0),
        ):
            if value is not None:
                whole_number(option, value, least=least)
        self.bundle = bundle if isinstance(bundle, Bundle) else open_bundle(bundle)
        try:
            kernels.isa()
        except kernels.IsaUnavailableError as error:
            fact, _, remedy = str(error).partition("; ")
            place = "kernels"
            raise KernelsUnavailableError(place, fact, remedy) from error
        self.threads = usable_cpus() if threads is None else threads
        self._system = open_system(
            self.bundle, device=device, threads=self.threads, batch_size=batch_size, feature_bytes=feature_bytes
        )
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the engine's threads; it encodes and ranks no more."""
        self._closed = True
        self._system.close()

    @property
    def device(self) -> str:
        """The device the session was seen to run on."""
        return self._system.device

    def frames_per_track(self, rule: str | int | None = None) -> str:
        """Return `rule`, or the bundle's own where it is None. Raises InputError for a rule that is none."""
        return self.bundle.recipe.frames if rule is None else check_rule(str(rule))

    def encode_tracks(
        self,
        tracks: Iterable[Track],
        frames: FrameStore | str | Path,
        *,
        frames_per_track: str | int | None = None,
        progress: Progress | None = None,
    ) -> TrackIndex:
        """Encode a gallery.

        frames: a FrameStore, or the root folder of the frame references.  frames_per_track: `last`, `largest`,
        `released` (the first 64), `all` or a number, by default the bundle's own.
        progress: called with a stage, how many are done, and of how many.
        Raises InputError, FrameError, ScoreError.
        """
        self._check_open()
        if not isinstance(frames, FrameStore):
            with FrameStore(frames, decode_threads=self.threads, cache_bytes=0) as store:
                return self.encode_tracks(tracks, store, frames_per_track=frames_per_track, progress=progress)
        place = "tracks"
        given = items(place, tracks, Track, "give Tracks, such as load_tracks returns")
        ordered = sorted(given, key=lambda track: track.id)
        ids = tuple(track.id for track in ordered)
        if not ids:
            raise InputError(place, "the gallery is empty", "give at least one track")
        if len(set(ids)) != len(ids):
            raise InputError(place, "two tracks have one id", "give each track its own")
        rule = self.frames_per_track(frames_per_track)
        with frames.notices.recording() as seen:
            encoded = self._system.encode_tracks(ordered, frames, rule=rule, progress=progress or _silent)
        return TrackIndex(
            track_ids=ids,
            vectors=encoded.vectors,
            digests=tuple(track_digest(track) for track in ordered),
            embedding_id=self.bundle.embedding_id,
            frames_per_track=rule,
            warnings=seen.records,
            shots=encoded.shots,
            maps=encoded.maps,
        )

    def with_frames(
        self, index: TrackIndex, frames: FrameStore | str | Path, *, progress: Progress | None = None
    ) -> TrackIndex:
        """Return an index that was loaded from a file with what its system must see again of its frames to rank it.

        Where the system needs nothing of the kind, that is the index itself.
        Raises VectorsMismatchError when another bundle made the index, InputError for a frame that cannot be read.
        """
        self._check_index(index)
        stage = self._system.second_stage
        if stage is None:
            return index
        if not isinstance(frames, FrameStore):
            with FrameStore(frames, decode_threads=self.threads, cache_bytes=0) as store:
                return self.with_frames(index, store, progress=progress)
        if index.shots is None:
            place = "index"
            raise InputError(place, "does not say which frames show its tracks", "encode the tracks again")
        return replace(index, maps=stage.feature_maps(index.shots, frames, progress=progress or _silent))

    def encode_queries(
        self, queries: Sequence[Query], *, notices: Notices | None = None, progress: Progress | None = None
    ) -> QueryVectors:
        """Encode queries, so that they can be ranked more than once; sentences cut short are counted.

        Raises InputError for no queries, ScoreError naming a query whose vector is not finite.
        """
        self._check_open()
        place = "queries"
        given = items(place, queries, Query, "give Queries, such as load_queries returns")
        if not given:
            raise InputError(place, "are none", "give at least one")
        return self._system.encode_queries(given, notices=notices or Notices(), progress=progress or _silent)

    def rank(
        self,
        index: TrackIndex,
        queries: Sequence[Query] | QueryVectors,
        *,
        top_k: int | None = None,
        allowed: NDArray[np.bool_] | None = None,
        progress: Progress | None = None,
    ) -> list[Ranking]:
        """Rank the gallery for each query, best first.

        top_k: how many tracks, all by default.  allowed: bool [N], the tracks that may be ranked, all by default.
        Raises VectorsMismatchError when another bundle made the index, InputError for `allowed` of another length,
        ScoreError.
        """
        self._check_index(index)
        if not isinstance(queries, QueryVectors):
            given = items("queries", queries, Query, "give Queries, or what `Engine.encode_queries` returns")
            if not given:
                return []
            queries = self.encode_queries(given, progress=progress)
        self._check_made_here(queries, "queries", "encode them")
        stage = self._system.second_stage
        return rank(
            index,
            queries,
            terms=self._system.terms,
            partial=None if stage is None else stage.partial_term(index, queries),
            top_k=top_k,
            allowed=allowed,
            threads=self.threads,
            progress=progress or _silent,
        )

    def ask(
        self, index: TrackIndex, description: str, *, top_k: int | None = None, allowed: NDArray[np.bool_] | None = None
    ) -> Ranking:
        """Rank the gallery for one description. Raises InputError when it says nothing."""
        return self.rank(index, [query_from_text(description)], top_k=top_k, allowed=allowed)[0]

    @property
    def has_masks(self) -> bool:
        """Whether the system draws masks."""
        return self._system.second_stage is not None

    def mask_views(
        self, index: TrackIndex, queries: QueryVectors, query: int, rows: Sequence[int] | NDArray[np.int64]
    ) -> Sequence[MaskView]:
        """Return what one query's mask makes of some tracks, for a system that draws masks.

        queries: encoded by this engine.  query: the number of one.  rows: K rows of the index.
        Raises VectorsMismatchError for what another bundle made, InputError where the system draws no masks, the index
        holds no feature maps, or a number is out of range.
        """
        self._check_index(index)
        check_kind("queries", queries, QueryVectors, "encode them with `Engine.encode_queries`")
        self._check_made_here(queries, "queries", "encode them")
        if self._system.second_stage is None:
            raise InputError(self.bundle.path, f"system {self.bundle.system} draws no masks", "use a bundle of sbnet")
        remedy = "give whole numbers, rows of the index such as a ranking's `rows`"
        chosen = [
            whole_number(f"rows[{place}]", row, least=0, most=len(index) - 1)
            for place, row in enumerate(items("rows", rows, object, remedy))
        ]
        number = whole_number("query", query, least=0, most=len(queries.query_ids) - 1)
        return self._system.second_stage.mask_views(index, queries, number, np.array(chosen, np.int64))

    def _check_open(self) -> None:
        if self._closed:
            raise InputError(self.bundle.path, "its engine is closed", "open another Engine")

    def _check_index(self, index: TrackIndex) -> None:
        """Refuse what is no index of this engine's bundle. Raises InputError, VectorsMismatchError."""
        self._check_open()
        check_kind("index", index, TrackIndex, "give what `Engine.encode_tracks` or `TrackIndex.load` returns")
        self._check_made_here(index, "index", "encode the tracks")

    def _check_made_here(self, made: TrackIndex | QueryVectors, place: str, remedy: str) -> None:
        """Refuse vectors of another bundle. Raises VectorsMismatchError."""
        own, dims = self.bundle.embedding_id, made.vectors.shape[1]
        if made.embedding_id != own:
            fact = f"was made by bundle {made.embedding_id[:12]}…, and this one is {own[:12]}…"
            raise VectorsMismatchError(place, fact, f"{remedy} with this bundle")
        if dims != self.bundle.dims:
            fact = f"holds vectors of {dims} numbers, and the bundle's have {self.bundle.dims}"
            raise VectorsMismatchError(place, fact, f"{remedy} with this bundle")


def _silent(stage: str, done: int, total: int) -> None:
    pass
