"""CityFlow-NL tracks as training batches of SBNet: a frame, one sentence, the cells of a box (P1, eqs. 1-2).

Samples are grouped by what is seen of a frame, so that the backbone runs once for all the vehicles there. A batch is a
function of the seed, the epoch and the step, so a resumed run sees what an uninterrupted one would have.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.frames import frame_number, frame_order
from nlvr.engine.preprocess import Recipe
from nlvr.engine.sampling import Shot, ShotPlan, check_boxes

from ..augment import mirrored_sentence, mixed_background
from ..data import ahead, batch_ends, image_sizes, nothing_readable, sentences
from ..features import FeatureFile
from ..paths import Path
from ..readings import mirrored_labels, shown_labels
from .negatives import NegativeSampler
from .views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.systems import Progress
    from nlvr.engine.tokenizer import Tokenizer

    from .config import SBNetConfig

    See = Callable[[np.ndarray], np.ndarray]

# Streams of random numbers: the order of an epoch, the draws of a batch, the views that a frozen backbone sees, and the
# boxes beside a batch.
_ORDER, _DRAWS, _VIEWS, _BESIDE = 1, 2, 3, 4
_SEEN_AT_ONCE = 16  # tracks
_MOST_MIXED = 0.6  # share of another frame in a background


@dataclass(frozen=True, slots=True)
class Beside:
    """K boxes of any views, of which colour and type alone are read.

    seen: by a frozen backbone before its last layer, float32 [K, C, G, G].  boxes: bool [K, G, G], b.
    moves: float32 [K, 4], how far each box's sides are moved: left, top, right and bottom, as shares of its own.
    labels: int64 [K, 2], as `Batch.image_labels`.
    """

    seen: np.ndarray
    boxes: np.ndarray
    moves: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True)
class Batch:
    """N samples over the F distinct views of frames and the U distinct sentences they share.

    images: uint8 [F, S, S, 3] RGB, or what a frozen backbone made of them, float32 [F, D, G, G].
    following: uint8 [F, G, G, 3], the next frames; followed: bool [F], where there is one.
    wordings: int64 [U], the sentences, as rows of the dataset's `tokens`.
    frame_rows, text_rows: int64 [N], rows of `images` and `wordings`.
    boxes: bool [N, G, G], b.  positive: bool [N], false where the sentence describes no vehicle of the frame.
    image_labels: int64 [N, 3], colour, type and motion of the vehicle.  text_labels: int64 [N, 2], colour and type of
    the one that the sentence is of. Places in `language.COLOURS`, `TYPES` and `MOTIONS`, or `readings.UNKNOWN`.
    points: float32 [N, T, 2], lengths: int64 [N], the vehicles' paths; None where nothing reads them.
    beside: further boxes, None without any.
    """

    images: np.ndarray
    following: np.ndarray
    followed: np.ndarray
    wordings: np.ndarray
    frame_rows: np.ndarray
    text_rows: np.ndarray
    boxes: np.ndarray
    positive: np.ndarray
    image_labels: np.ndarray
    text_labels: np.ndarray
    points: np.ndarray | None = None
    lengths: np.ndarray | None = None
    beside: Beside | None = None

    @property
    def are_seen(self) -> bool:
        """Whether the images are features."""
        return self.images.dtype == np.float32


class SBNetDataset:
    """The samples of a set of tracks: every frame of every track once an epoch, with one of the track's sentences.

    Every box of every view that a frozen backbone has seen may take their place.
    """

    def __init__(self, config: SBNetConfig, tracks: Sequence[Track], store: FrameStore, tokenizer: Tokenizer) -> None:
        """Raise InputError for a track without sentences or with a box outside its image, FrameError without frames."""
        self.config, self.tracks, self.store = config, tracks, store
        self._recipe = Recipe(size=config.recipe.size, resize=config.recipe.resize, around=config.recipe.around)
        self._small = Recipe(size=config.cells, resize="area")
        texts = sentences(tracks)
        self._first_text = np.cumsum([0, *(len(track.nl) for track in tracks)])
        self._labels = shown_labels(tracks)
        self._negatives = NegativeSampler(*self._labels.T[:2], probability=config.negatives.probability)
        check_boxes(tracks, store)
        self._shots = ShotPlan(tracks, store, "all").shots
        self._sizes = image_sizes(tracks, store) if config.modules.motion else []
        self._frames, self._frame_of = np.unique([self._frame(shot) for shot in self._shots], return_inverse=True)
        self._views: Views | None = None
        self._shots_in: dict[str, list[Shot]] = defaultdict(list)
        for shot in self._shots:
            self._shots_in[self._frame(shot)].append(shot)
        # Sentences repeat across tracks; each is tokenised once, and encoded once in a batch.
        distinct, wording = np.unique([texts, [mirrored_sentence(text) for text in texts]], return_inverse=True)
        self._wording = wording.reshape(2, -1)
        self.tokens = tokenizer(distinct.tolist())
        for row in np.flatnonzero(self.tokens.cut):
            store.notices.add("text cut", repr(str(distinct[row])))

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(batch_ends(len(self._frame_of), self.config.schedule.batch))

    def freeze(self, copies: int, see: See, progress: Progress) -> Views:
        """Have a backbone that does not change see so many augmented views of each track, for `use`.

        A view shows a frame of the track at random, and every vehicle of it, or the track's own alone and larger; where
        the recipe shows what is around a box, the track's own always.
        see: images uint8 [B, S, S, 3] to features, float [B, D, G, G].  progress: is told of each view of a track.
        Raises FrameError naming a track of which no frame can be read, OutputError when there is no room for features.
        """
        generator = np.random.default_rng((_VIEWS, self.config.schedule.seed))
        shots_of = defaultdict(list)
        for shot in self._shots:
            shots_of[shot.row].append(shot)
        features, views = None, []
        for done in range(copies):
            drawn = [own[generator.integers(len(own))] for own in shots_of.values()]
            for first in range(0, len(drawn), _SEEN_AT_ONCE):
                block = drawn[first : first + _SEEN_AT_ONCE]
                zoomed = generator.random(len(block)) < self.config.augment.zoom
                alone = [shot for shot, small in zip(block, zoomed, strict=True) if small]
                together = [shot for shot, small in zip(block, zoomed, strict=True) if not small]
                if not self._recipe.around:
                    beside = {self._frame(shot) for shot in together}
                    together = [shot for frame in sorted(beside, key=frame_order) for shot in self._shots_in[frame]]
                shown = self._read(alone, generator, zoomed=True) + self._read(together, generator)
                for one, values in zip(shown, see(np.stack([one.image for one in shown])), strict=True):
                    if features is None:
                        features = FeatureFile(values.shape)
                    features.append(values)
                    views.append(replace(one, image=None))
                progress("views", done * len(drawn) + first + len(block), copies * len(drawn))
        return Views(views, features)

    def use(self, views: Views, *, early_channels: int) -> None:
        """Take every box of every view as a sample, from now on. early_channels: as ImageModule has it."""
        self._views, self._early_channels = views, early_channels
        self._frame_of = np.repeat(np.arange(len(views.shown)), [len(one.shots) for one in views.shown])
        self._frames = np.arange(len(views.shown))

    def batches(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on, prepared ahead of their use.

        Raises FrameError naming a track of which no frame can be read.
        """
        return ahead(partial(self.load, epoch), range(first, self.steps))

    def load(self, epoch: int, step: int) -> Batch:
        """Return one batch."""
        seed, batch = self.config.schedule.seed, self.config.schedule.batch
        ranks = np.random.default_rng((_ORDER, seed, epoch)).permutation(len(self._frames))
        end = batch_ends(len(self._frame_of), batch)[step]
        order = np.argsort(ranks[self._frame_of], kind="stable")[step * batch : end]
        if len(order) == 1:
            order = order.repeat(2)  # batch normalisation takes its statistics over the samples
        generator = np.random.default_rng((_DRAWS, seed, epoch, step))
        if self._views is None:
            shown = self._read([self._shots[place] for place in order], generator)
            images = np.stack([one.image for one in shown])
            return self._batch(shown, images, generator)
        views = np.unique(self._frame_of[order])
        shown, images = [self._views.shown[view] for view in views], self._views.features[views]
        drawn = self._batch(shown, images, generator)
        if not self.config.schedule.beside:
            return drawn
        return replace(drawn, beside=self._beside(self._views, np.random.default_rng((_BESIDE, seed, epoch, step))))

    def _beside(self, views: Views, generator: np.random.Generator) -> Beside:
        """Draw boxes of any views, mirrored or not: to a grid that reads cells a mirrored map is another vehicle's."""
        count = self.config.schedule.beside
        samples = generator.integers(len(self._frame_of), size=count)
        drawn = self._frame_of[samples]
        places = samples - np.searchsorted(self._frame_of, drawn)
        seen = views.features.first(self._early_channels, drawn)
        boxes = np.stack([views.shown[view].boxes[place] for view, place in zip(drawn, places, strict=True)])
        mirrored = generator.random(count) < self.config.augment.flip
        for values in (seen, boxes):
            values[mirrored] = values[mirrored, ..., ::-1]
        rows = [views.shown[view].shots[place].row for view, place in zip(drawn, places, strict=True)]
        moves = self.config.augment.box * generator.standard_normal((count, 4))
        return Beside(seen, boxes, moves.astype(np.float32), self._labels[rows, :2])

    def _batch(self, shown: Sequence[_Shown], images: np.ndarray, generator: np.random.Generator) -> Batch:
        """Give what is shown its sentences and labels."""
        shots = [shot for one in shown for shot in one.shots]
        frame_rows = np.repeat(np.arange(len(shown)), [len(one.shots) for one in shown])
        own = np.array([shot.row for shot in shots])
        present = [[other.row for other in self._shots_in[self._frame(shot)]] for shot in shots]
        told = np.array([self._negatives.draw(*pair, generator) for pair in zip(own, present, strict=True)])
        texts = generator.integers(self._first_text[told], self._first_text[told + 1])
        sides = np.array([int(one.mirrored) for one in shown])[frame_rows]
        distinct, text_rows = np.unique(self._wording[sides, texts], return_inverse=True)
        points, lengths = self._paths(own, sides, generator) if self.config.modules.motion else (None, None)
        nothing = np.zeros((self.config.cells, self.config.cells, 3), np.uint8)
        return Batch(
            images=images,
            following=np.stack([nothing if one.following is None else one.following for one in shown]),
            followed=np.array([one.following is not None for one in shown]),
            wordings=distinct,
            frame_rows=frame_rows,
            text_rows=text_rows,
            boxes=np.concatenate([one.boxes for one in shown]),
            positive=told == own,
            image_labels=np.where(sides[:, None], mirrored_labels(self._labels[own]), self._labels[own]),
            text_labels=self._labels[told, :2],
            points=points,
            lengths=lengths,
        )

    def _paths(self, rows: np.ndarray, sides: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw the path of each track: float32 [N, T, 2] and int64 [N]. sides: int64 [N], 1 for mirrored ones."""
        strength, most = self.config.augment.path, self._recipe.max_points
        paths = []
        for row, side in zip(rows.tolist(), sides.tolist(), strict=True):
            track = self.tracks[row]
            path = Path.draw(strength, most, generator)
            paths.append(path.points(track.boxes, *self._sizes[row], self._recipe, mirrored=bool(side)))
        points, lengths = zip(*paths, strict=True)
        return np.stack(points), np.array(lengths, np.int64)

    def _frame(self, shot: Shot) -> str:
        return self.tracks[shot.row].frames[shot.position]

    def _read(self, shots: Sequence[Shot], generator: np.random.Generator, *, zoomed: bool = False) -> list[_Shown]:
        """Show each shot's frame; where it cannot be read, its track is shown by another of its frames at random."""
        shown: list[_Shown] = []
        waiting: list[tuple[Shot, list[int] | None]] = [(shot, None) for shot in shots]
        while waiting:
            shown += self._show([shot for shot, _ in waiting], generator, zoomed=zoomed)
            readable = {shot for one in shown for shot in one.shots}
            waiting = [self._another(*pair, generator) for pair in waiting if pair[0] not in readable]
        return self._mix(shown, generator)

    def _mix(self, shown: list[_Shown], generator: np.random.Generator) -> list[_Shown]:
        """Blend frames into the backgrounds of some others."""
        if not self.config.augment.mix or len(shown) < 2:
            return shown
        others = (np.arange(len(shown)) + generator.integers(1, len(shown), size=len(shown))) % len(shown)
        shares = _MOST_MIXED * generator.random(len(shown))
        chosen = generator.random(len(shown)) < self.config.augment.mix
        return [
            replace(one, image=mixed_background(one.image, shown[other].image, one.boxes.any(axis=0), share))
            if mixes
            else one
            for one, other, share, mixes in zip(shown, others, shares, chosen, strict=True)
        ]

    def _another(
        self, shot: Shot, untried: list[int] | None, generator: np.random.Generator
    ) -> tuple[Shot, list[int] | None]:
        track = self.tracks[shot.row]
        if untried is None:
            untried = generator.permutation(len(track.frames)).tolist()
        if not untried:
            raise nothing_readable(track)
        return Shot(shot.row, untried[0]), untried[1:]

    def _show(self, shots: Sequence[Shot], generator: np.random.Generator, *, zoomed: bool) -> list[_Shown]:
        """Show those frames of the shots that can be read, in order of frames, each decoded once."""
        shots_of: dict[str, list[Shot]] = defaultdict(list)
        for shot in shots:
            shots_of[self._frame(shot)].append(shot)
        views: dict[str, list[tuple[list[Shot], View]]] = {}
        for frame in sorted(shots_of, key=frame_order):
            own = shots_of[frame]
            groups = [[shot] for shot in own] if self._recipe.around else [own]
            views[frame] = [(group, self._drawn(group, generator, zoomed=zoomed)) for group in groups]
        after = self._after(views) if self.config.modules.future else {}
        before = {following: frame for frame, following in after.items()}

        def look(name: str, image: np.ndarray | None) -> tuple[list[np.ndarray], ...] | None:
            """Return what is seen in a frame's views, their boxes' cells, and what is in those of the one before."""
            if image is None:
                return None
            now = [view for _, view in views.get(name, ())]
            earlier = [view for _, view in views.get(before.get(name, ""), ())]
            return (
                [view.shown(image, self._recipe) for view in now],
                [view.masks(image.shape[1], image.shape[0], self.config.cells) for view in now],
                [view.coloured.shown(image, self._small) for view in earlier],
            )

        seen = dict(self.store.map(sorted({*views, *before}, key=frame_order), look))
        shown = []
        for frame, own in views.items():
            if seen[frame] is None:
                continue
            images, boxes, _ = seen[frame]
            following = seen[after[frame]] if frame in after else None
            later = [None] * len(own) if following is None else following[2]
            shown += [
                _Shown(group, view.mirrored, *rest)
                for (group, view), *rest in zip(own, images, boxes, later, strict=True)
            ]
        return shown

    def _drawn(self, shots: Sequence[Shot], generator: np.random.Generator, *, zoomed: bool) -> View:
        boxes = np.stack([self.tracks[shot.row].boxes[shot.position] for shot in shots])
        return View.draw(boxes, self.config.augment, self._recipe, generator, zoomed=zoomed)

    def _after(self, frames: Iterable[str]) -> dict[str, str]:
        """Return the next frame of each frame that has one."""
        following = {frame: next_frame(frame) for frame in frames}
        return {frame: name for frame, name in following.items() if name is not None and self.store.has(name)}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A frame as a batch shows it, and the shots it is shown for.

    image: uint8 [S, S, 3], None where a backbone has seen it.  boxes: bool [shots, G, G].
    following: uint8 [G, G, 3], None without a next frame.
    """

    shots: Sequence[Shot]
    mirrored: bool
    image: np.ndarray | None
    boxes: np.ndarray
    following: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Views:
    """V frames as batches show them, and what a frozen backbone made of each, float32 [V, D, G, G]."""

    shown: Sequence[_Shown]
    features: FeatureFile


def next_frame(reference: str) -> str | None:
    """Return the reference of the frame that follows in time, None where the name of this one holds no number.

    It need not be of the same track: the next one listed there may lie many frames later.
    """
    number = frame_number(reference)
    folder, slash, name = reference.rpartition("/")
    stem, dot, suffix = name.partition(".")
    return f"{folder}{slash}{number + 1:0{len(stem)}d}{dot}{suffix}" if number else None
