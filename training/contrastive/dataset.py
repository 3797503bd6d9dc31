"""CityFlow-NL tracks as training batches: an anchor text, its vehicle, and the negatives of both (P2, section 3.2.1).

A batch is a function of the seed, the epoch and the step, so a resumed run sees what an uninterrupted one would have.
Images are prepared by the engine's own code, which also serves.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine import preprocess
from nlvr.engine.frames import frame_order
from nlvr.engine.sampling import Shot, check_boxes

from ..data import ahead, nothing_readable, sentences
from ..scenes import camera
from .negatives import NegativeSampler, mine_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.preprocess import Recipe, Vehicle
    from nlvr.engine.tokenizer import Tokenizer

    from .config import NegativesConfig

    Embed = Callable[[Sequence[str]], np.ndarray]

_ORDER, _DRAWS = 1, 2  # streams of random numbers: the order of an epoch, the draws of a batch


@dataclass(frozen=True, slots=True)
class Vehicles:
    """background, crop: uint8 [V, S, S, 3].  points: float32 [V, T, 2].  lengths: int64 [V]."""

    background: np.ndarray
    crop: np.ndarray
    points: np.ndarray
    lengths: np.ndarray

    @classmethod
    def stack(cls, vehicles: Sequence[Vehicle]) -> Vehicles:
        return cls(
            np.stack([vehicle.background for vehicle in vehicles]),
            np.stack([vehicle.crop for vehicle in vehicles]),
            np.stack([vehicle.points for vehicle in vehicles]),
            np.array([vehicle.length for vehicle in vehicles], np.int64),
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """M samples of K candidates each, over the distinct vehicles and texts they share.

    ids, mask: int64 [U, L], the distinct texts.  vehicle_rows, text_rows: int64 [M, K], rows of `vehicles` and `ids`,
    of which number 0 is the sample's anchor.
    """

    vehicles: Vehicles
    ids: np.ndarray
    mask: np.ndarray
    vehicle_rows: np.ndarray
    text_rows: np.ndarray


def read_vehicles(
    tracks: Sequence[Track], shots: Sequence[Shot], store: FrameStore, recipe: Recipe
) -> Iterator[tuple[Shot, Vehicle | None]]:
    """Yield each shot with what it shows, in order of frames; None where the frame cannot be read.

    Each distinct frame is decoded once. Raises InputError for a box wholly outside its image.
    """
    shots_of = defaultdict(list)
    for shot in shots:
        shots_of[tracks[shot.row].frames[shot.position]].append(shot)

    def prepare(frame: str, image: np.ndarray | None) -> list[tuple[Shot, Vehicle | None]]:
        return [
            (shot, None if image is None else preprocess.vehicle(image, tracks[shot.row], shot.position, recipe))
            for shot in shots_of[frame]
        ]

    for _, prepared in store.map(sorted(shots_of, key=frame_order), prepare):
        yield from prepared


class ContrastiveDataset:
    """The samples of a set of tracks: every sentence of `nl` is the anchor of one sample an epoch."""

    def __init__(
        self,
        tracks: Sequence[Track],
        store: FrameStore,
        tokenizer: Tokenizer,
        *,
        recipe: Recipe,
        negatives: NegativesConfig,
        batch: int,
        seed: int,
        embed: Embed,
    ) -> None:
        """embed: sentences → float32 [N, D] unit rows; called where hard texts are mined.

        Raises InputError for a track without sentences or with a box outside its image, and for fewer than two tracks.
        """
        self.tracks, self.store, self.recipe, self.seed = tracks, store, recipe, seed
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
        distinct, self._wording = np.unique(texts, return_inverse=True)
        self._tokens = tokenizer(distinct.tolist())
        for row in np.flatnonzero(self._tokens.cut):
            store.notices.add("text cut", repr(str(distinct[row])))
        self._batch = batch
        self.steps = -(-len(texts) // batch)

    def batches(self, epoch: int, first: int = 0) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on, prepared ahead of their use.

        Raises FrameError naming a track of which no frame can be read.
        """
        return ahead(partial(self.load, epoch), range(first, self.steps))

    def load(self, epoch: int, step: int) -> Batch:
        """Return one batch."""
        order = np.random.default_rng((_ORDER, self.seed, epoch)).permutation(len(self._owners))
        anchors = order[step * self._batch : (step + 1) * self._batch]
        generator = np.random.default_rng((_DRAWS, self.seed, epoch, step))
        negatives = [self._sampler.draw(anchor, generator) for anchor in anchors]
        texts = np.stack([np.append(anchor, drawn.texts) for anchor, drawn in zip(anchors, negatives, strict=True)])
        owners = self._owners[anchors]
        rows = np.stack([np.append(own, drawn.vehicles) for own, drawn in zip(owners, negatives, strict=True)])
        distinct_rows, vehicle_rows = np.unique(rows, return_inverse=True)
        distinct_texts, text_rows = np.unique(self._wording[texts], return_inverse=True)
        return Batch(
            vehicles=self._random_vehicles(distinct_rows, generator),
            ids=self._tokens.ids[distinct_texts],
            mask=self._tokens.mask[distinct_texts],
            vehicle_rows=vehicle_rows.reshape(rows.shape),
            text_rows=text_rows.reshape(texts.shape),
        )

    def _random_vehicles(self, rows: np.ndarray, generator: np.random.Generator) -> Vehicles:
        """Show each track by one random frame, for background and crop alike, and by another where it is unreadable."""
        untried = {int(row): generator.permutation(len(self.tracks[row].frames)).tolist() for row in rows}
        found: dict[int, Vehicle] = {}
        while len(found) < len(untried):
            for row, positions in untried.items():
                if row not in found and not positions:
                    raise nothing_readable(self.tracks[row])
            shots = [Shot(row, positions.pop()) for row, positions in untried.items() if row not in found]
            for shot, vehicle in read_vehicles(self.tracks, shots, self.store, self.recipe):
                if vehicle is not None:
                    found[shot.row] = vehicle
        return Vehicles.stack([found[row] for row in untried])
