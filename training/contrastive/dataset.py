"""CityFlow-NL tracks as training batches: an anchor text, its vehicle, and the negatives of both (P2, section 3.2.1).

A batch is a function of the seed, the epoch and the step, so a resumed run sees what an uninterrupted one would have.
Images are prepared by the engine's own code, which also serves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from nlvr.engine import preprocess
from nlvr.engine.frames import frame_order
from nlvr.engine.sampling import Shot, ShotPlan, check_boxes

from ..augment import mirrored_sentence
from ..data import ahead, batch_ends, image_sizes, nothing_readable, sentences
from ..paths import Path
from ..readings import mirrored_labels, said_labels, shown_labels
from ..scenes import camera
from .looks import WHOLE, Look
from .negatives import NegativeSampler, mine_texts, within_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.preprocess import Recipe, Vehicle
    from nlvr.engine.systems import Progress
    from nlvr.engine.tokenizer import Tokenizer

    from .config import AugmentConfig, NegativesConfig

    Embed = Callable[[Sequence[str]], np.ndarray]
    See = Callable[[Sequence[Vehicle]], "Seen"]

# Streams of random numbers: the order of an epoch, the draws of a batch, the copies that frozen towers see.
_ORDER, _DRAWS, _COPIES = 1, 2, 3
SEEN_AT_ONCE = 32  # vehicles
_LOOKS = 2  # at a frame by frozen towers


@dataclass(frozen=True, slots=True)
class Seen:
    """What is left of B images that frozen towers have seen.

    background, crop: float [B, D].  patch: uint8 [B, s, s, 3], the crops reduced, and grid: float [B, C, h, w], their
    maps, or None each.
    """

    background: np.ndarray
    crop: np.ndarray
    patch: np.ndarray | None = None
    grid: np.ndarray | None = None

    def __getitem__(self, place: Any) -> Seen:  # noqa: ANN401  as numpy takes it
        return Seen.each(lambda values: values[place], self)

    def half(self) -> Seen:
        """Return the same with features in float16."""
        return Seen.each(lambda values: values if values.dtype == np.uint8 else values.astype(np.float16), self)

    def turned(self, which: np.ndarray) -> Seen:
        """Return the same with some crops and their maps turned left to right, which are others to what reads them.

        which: bool [B].
        """

        def turn(values: np.ndarray | None, axis: int) -> np.ndarray | None:
            if values is None:
                return None
            return np.where(which.reshape(-1, *(1,) * (values.ndim - 1)), np.flip(values, axis), values)

        return Seen(self.background, self.crop, turn(self.patch, 2), turn(self.grid, 3))

    @classmethod
    def stack(cls, parts: Sequence[Seen]) -> Seen:
        return cls.each(lambda *values: np.stack(values), *parts)

    @classmethod
    def each(cls, change: Callable[..., np.ndarray], *parts: Seen) -> Seen:
        """Return what becomes of each array that is there, given that of all the parts."""
        arrays = zip(*((part.background, part.crop, part.patch, part.grid) for part in parts), strict=True)
        return cls(*(None if values[0] is None else change(*values) for values in arrays))


@dataclass(frozen=True, slots=True)
class Vehicles:
    """V tracks, as their images or as what frozen towers made of these.

    background, crop: uint8 [V, S, S, 3], or float16 [V, D].  points: float32 [V, T, 2].  lengths: int64 [V].
    patch, grid: beside features, as in Seen.
    """

    background: np.ndarray
    crop: np.ndarray
    points: np.ndarray
    lengths: np.ndarray
    patch: np.ndarray | None = None
    grid: np.ndarray | None = None

    @classmethod
    def stack(cls, vehicles: Sequence[Vehicle]) -> Vehicles:
        return cls(
            np.stack([vehicle.background for vehicle in vehicles]),
            np.stack([vehicle.crop for vehicle in vehicles]),
            np.stack([vehicle.points for vehicle in vehicles]),
            np.array([vehicle.length for vehicle in vehicles], np.int64),
        )

    @classmethod
    def of(cls, seen: Seen, points: Sequence[np.ndarray], lengths: Sequence[int]) -> Vehicles:
        return cls(seen.background, seen.crop, np.stack(points), np.array(lengths, np.int64), seen.patch, seen.grid)

    @property
    def are_seen(self) -> bool:
        """Whether they are features rather than images."""
        return self.background.ndim == 2


@dataclass(frozen=True, slots=True)
class Batch:
    """M samples of K candidates each, over the distinct vehicles and texts they share.

    wordings: int64 [U], the distinct texts, as rows of the dataset's `tokens`.
    vehicle_rows, text_rows: int64 [M, K], rows of `vehicles` and `wordings`, of which number 0 is the sample's anchor.
    labels: int64 [V, 3], of the vehicles, as `readings.shown_labels` gives them.
    """

    vehicles: Vehicles
    wordings: np.ndarray
    vehicle_rows: np.ndarray
    text_rows: np.ndarray
    labels: np.ndarray


def read_vehicles(
    tracks: Sequence[Track], looks: Sequence[Look], store: FrameStore, recipe: Recipe
) -> Iterator[tuple[Look, Vehicle | None]]:
    """Yield each look with what it shows, in order of frames; None where the frame cannot be read.

    Each distinct frame is decoded once. Raises InputError for a box wholly outside its image.
    """
    looks_at = defaultdict(list)
    for look in looks:
        looks_at[tracks[look.shot.row].frames[look.shot.position]].append(look)

    def prepare(frame: str, image: np.ndarray | None) -> list[tuple[Look, Vehicle | None]]:
        return [
            (look, None if image is None else look.at(image, tracks[look.shot.row], recipe)) for look in looks_at[frame]
        ]

    for _, prepared in store.map(sorted(looks_at, key=frame_order), prepare):
        yield from prepared


@dataclass(frozen=True, slots=True)
class Copies:
    """What frozen towers left of T tracks in C copies, arrays [T, C, …], and bool [T, C]: which are mirrored, bare."""

    seen: Seen
    mirrored: np.ndarray
    bare: np.ndarray


class _Rows:
    """Copies that are filled in as they are seen. They are most of a run's memory: nothing holds them twice."""

    def __init__(self, tracks: int, copies: int) -> None:
        self.filled = np.zeros(tracks, np.int64)
        self.mirrored, self.bare = np.zeros((2, tracks, copies), bool)
        self.seen: Seen | None = None

    def add(self, looks: Sequence[Look], left: Seen) -> None:
        """Keep what is left of some looks, each in its track's next place."""
        rows, places = np.array([look.shot.row for look in looks]), np.empty(len(looks), np.int64)
        for number, row in enumerate(rows):
            places[number] = self.filled[row]
            self.filled[row] += 1
        if self.seen is None:
            size = self.mirrored.shape
            self.seen = Seen.each(lambda part: np.empty((*size, *part.shape[1:]), part.dtype), left)

        def put(kept: np.ndarray, part: np.ndarray) -> np.ndarray:
            kept[rows, places] = part
            return kept

        self.seen = Seen.each(put, self.seen, left)
        self.mirrored[rows, places] = [look.mirrored for look in looks]
        self.bare[rows, places] = [look.bare for look in looks]


class ContrastiveDataset:
    """The samples of a set of tracks: every sentence of `nl` is the anchor of one sample an epoch.

    seen: what frozen towers saw, which batches hold in place of images; None by default.
    said: int64 [U, 3], what each row of `tokens` says, as `readings.said_labels` gives it.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        store: FrameStore,
        tokenizer: Tokenizer,
        *,
        recipe: Recipe,
        augment: AugmentConfig,
        negatives: NegativesConfig,
        batch: int,
        seed: int,
        embed: Embed,
    ) -> None:
        """embed: sentences → float32 [N, D] unit rows; called where hard texts are mined.

        Raises InputError for a track without sentences or with a box outside its image, and for fewer than two tracks.
        """
        self.tracks, self.store, self.recipe, self.augment, self.seed = tracks, store, recipe, augment, seed
        texts = sentences(tracks)
        self._owners = np.repeat(np.arange(len(tracks)), [len(track.nl) for track in tracks])
        self._sampler = NegativeSampler(
            self._owners,
            [camera(track) for track in tracks],
            count=negatives.count,
            hard_vehicles=negatives.hard_vehicles,
            mined=mine_texts(embed(texts), self._owners, threshold=negatives.threshold, top=negatives.top)
            if negatives.hard_texts
            else None,
        )
        check_boxes(tracks, store)
        # Sentences repeat across tracks; each is tokenised once, and encoded once in a batch.
        sides = [texts, [mirrored_sentence(text) for text in texts] if augment.flip else texts]
        distinct, wording = np.unique(sides, return_inverse=True)
        self._wording = wording.reshape(2, -1)
        self.tokens = tokenizer(distinct.tolist())
        self.said, self._labels = said_labels(distinct.tolist()), shown_labels(tracks)
        for row in np.flatnonzero(self.tokens.cut):
            store.notices.add("text cut", repr(str(distinct[row])))
        self._batch, self._within_batch = batch, negatives.within_batch
        self._ends = batch_ends(len(texts), batch)
        self.steps = len(self._ends)
        self.seen: Copies | None = None

    def freeze(self, copies: int, see: See, progress: Progress) -> Copies:
        """Have towers that do not change see so many augmented copies of each track; set as `seen`, batches hold those.

        see: vehicles to what is left of their images.
        progress: is told of each image pair that was seen.
        Raises FrameError naming tracks of which no frame can be read.
        """
        generator = np.random.default_rng((_COPIES, self.seed))
        plan = ShotPlan(self.tracks, self.store, "all")
        rows = _Rows(len(self.tracks), copies)
        missing = np.full(len(self.tracks), copies)
        while missing.any():
            shots = defaultdict(list)
            for shot in plan.shots:
                shots[shot.row].append(shot)
            looks = []
            for row, wanted in enumerate(missing.tolist()):
                # To decode a frame costs more than to look at it again.
                drawn = generator.integers(len(shots[row]), size=-(-wanted // _LOOKS)).repeat(_LOOKS)[:wanted]
                looks += [Look.draw(shots[row][place], self.augment, self.recipe, generator) for place in drawn]
            shown = read_vehicles(self.tracks, looks, self.store, self.recipe)
            unreadable = set()
            while block := list(islice(shown, SEEN_AT_ONCE)):
                read = [(look, one) for look, one in block if one is not None]
                unreadable |= {self._frame(look) for look, one in block if one is None}
                if read:
                    rows.add([look for look, _ in read], see([one for _, one in read]).half())
                progress("features", int(rows.filled.sum()), copies * len(self.tracks))
            missing = copies - rows.filled
            if unreadable:
                plan.drop(unreadable)
        return Copies(rows.seen, rows.mirrored, rows.bare)

    def batches(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on, prepared ahead of their use.

        Raises FrameError naming a track of which no frame can be read.
        """
        return ahead(partial(self.load, epoch), range(first, self.steps))

    def load(self, epoch: int, step: int) -> Batch:
        """Return one batch."""
        anchors = self._order(epoch)[step * self._batch : self._ends[step]]
        generator = np.random.default_rng((_DRAWS, self.seed, epoch, step))
        owners = self._owners[anchors]
        if self._within_batch:
            others = within_batch(owners, generator)
            texts, rows = anchors[others], owners[others]
        else:
            negatives = [self._sampler.draw(anchor, generator) for anchor in anchors]
            texts = np.stack([np.append(anchor, drawn.texts) for anchor, drawn in zip(anchors, negatives, strict=True)])
            rows = np.stack([np.append(own, drawn.vehicles) for own, drawn in zip(owners, negatives, strict=True)])
        distinct_rows, vehicle_rows = np.unique(rows, return_inverse=True)
        vehicles, sides = self._random_vehicles(distinct_rows, generator)
        # A text is told as its own vehicle is shown; where that is not shown, either way.
        side = generator.integers(2, size=len(self.tracks))
        side[distinct_rows] = sides
        wordings = self._wording[side[self._owners[texts]], texts]
        distinct_wordings, text_rows = np.unique(wordings, return_inverse=True)
        labels = self._labels[distinct_rows]
        return Batch(
            vehicles,
            distinct_wordings,
            vehicle_rows.reshape(rows.shape),
            text_rows.reshape(texts.shape),
            np.where(sides[:, None] == 1, mirrored_labels(labels), labels),
        )

    def _order(self, epoch: int) -> np.ndarray:
        """Return the text rows in an epoch's order: each track is shown once before any is shown again."""
        generator = np.random.default_rng((_ORDER, self.seed, epoch))
        shuffled = np.lexsort((generator.random(len(self._owners)), self._owners))
        turn = np.arange(len(shuffled)) - np.searchsorted(self._owners, self._owners)
        return shuffled[np.lexsort((generator.random(len(shuffled)), turn))]

    def _frame(self, look: Look) -> str:
        return self.tracks[look.shot.row].frames[look.shot.position]

    def _random_vehicles(self, rows: np.ndarray, generator: np.random.Generator) -> tuple[Vehicles, np.ndarray]:
        """Show each track by one random frame, for background and crop alike, and by another where it is unreadable.

        Returns the vehicles and which of them are mirrored, int64 [V].
        """
        if self.seen is not None:
            return self._random_features(self.seen, rows, generator)
        untried = {int(row): generator.permutation(len(self.tracks[row].frames)).tolist() for row in rows}
        found: dict[int, tuple[Vehicle, bool]] = {}
        while len(found) < len(untried):
            for row, positions in untried.items():
                if row not in found and not positions:
                    raise nothing_readable(self.tracks[row])
            looks = [
                Look.draw(Shot(row, positions.pop()), self.augment, self.recipe, generator)
                for row, positions in untried.items()
                if row not in found
            ]
            for look, vehicle in read_vehicles(self.tracks, looks, self.store, self.recipe):
                if vehicle is not None:
                    found[look.shot.row] = vehicle, look.mirrored
        vehicles = Vehicles.stack([found[row][0] for row in untried])
        return vehicles, np.array([found[row][1] for row in untried], np.int64)

    @cached_property
    def _sizes(self) -> list[tuple[int, int]]:
        return image_sizes(self.tracks, self.store)

    def _random_features(
        self, seen: Copies, rows: np.ndarray, generator: np.random.Generator
    ) -> tuple[Vehicles, np.ndarray]:
        """Show each track by one of its copies, with box points drawn anew. Returns as `_random_vehicles` does."""
        copies = generator.integers(seen.mirrored.shape[1], size=len(rows))
        mirrored = seen.mirrored[rows, copies]
        paths = []
        for row, side, bare in zip(rows.tolist(), mirrored.tolist(), seen.bare[rows, copies].tolist(), strict=True):
            size = self._sizes[row]
            path = Path.draw(self.augment.path, self.recipe.max_points, generator)
            if bare:
                paths.append(preprocess.points(WHOLE, *size, self.recipe))
            else:
                paths.append(path.points(self.tracks[row].boxes, *size, self.recipe, mirrored=side))
        points, lengths = zip(*paths, strict=True)
        shown = seen.seen[rows, copies]
        turned = generator.random(len(rows)) < self.augment.flip
        return Vehicles.of(shown.turned(turned), points, lengths), mirrored.astype(np.int64)
