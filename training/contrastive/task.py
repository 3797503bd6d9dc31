"""The contrastive system as a task of the training loop: its batches, its loss, its measure on the held-out scene."""

from __future__ import annotations

import math
from functools import cached_property, partial
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from nlvr.engine.sampling import ShotPlan, check_boxes
from nlvr.engine.systems.contrastive import with_lasting
from nlvr.engine.tokenizer import Tokenizer

from ..backbones.still import see, still
from ..checkpoint import save_checkpoint
from ..data import held_out_metrics, identity, sentences
from ..readings import SAID, SHOWN
from .attributes import attribute_loss, slices
from .dataset import SEEN_AT_ONCE, ContrastiveDataset, Seen, Vehicles, read_vehicles
from .looks import Look
from .losses import contrastive_loss
from .memory import Memory
from .sentences import sentence_embeddings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    import tokenizers
    from torch import Tensor

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.preprocess import Vehicle
    from nlvr.engine.sampling import Shot
    from nlvr.engine.systems import Progress
    from nlvr.engine.tokenizer import Tokens

    from .config import ContrastiveConfig
    from .dataset import Batch, Copies, Embed
    from .model import ContrastiveModel, VehicleEncoder


class ContrastiveTask:
    """Trains `model` on tracks and measures it on others. See `nlvr.training.loop.Task` for what the loop uses."""

    def __init__(
        self,
        config: ContrastiveConfig,
        model: ContrastiveModel,
        tokenizer: tokenizers.Tokenizer,
        store: FrameStore,
        *,
        training: Sequence[Track],
        validation: Sequence[Track] = (),
        embed: Embed = sentence_embeddings,
        memory: Memory | None = None,
        progress: Progress = lambda *_: None,
    ) -> None:
        """validation: the tracks of the scene that is held out.  embed: as in ContrastiveDataset.

        memory: of tasks that share it, where the towers are shown copies; by default the task's own.
        progress: is told how many copies frozen towers have seen.
        Raises InputError for tracks that cannot be trained on or measured.
        """
        self.config, self.model, self.store, self.validation = config, model, store, validation
        self._memory = Memory() if memory is None else memory
        self.device = next(model.parameters()).device
        self._tokenizer_text = tokenizer.to_str()
        self._tokenizer = Tokenizer(tokenizer, length=config.text.length)
        self.dataset = ContrastiveDataset(
            training,
            store,
            self._tokenizer,
            recipe=config.recipe,
            augment=config.augment,
            negatives=config.negatives,
            batch=config.schedule.batch,
            seed=config.schedule.seed,
            embed=partial(self._embeddings, embed),
        )
        sentences(validation)
        check_boxes(validation, store)
        self.steps = self.dataset.steps
        self.identity = identity(config, [*training, *validation])
        if config.schedule.copies:
            self.dataset.seen = self._copies(progress)

    def optimizer(self) -> torch.optim.Optimizer:
        """Return AdamW over what is not frozen."""
        schedule = self.config.schedule
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, schedule.learning_rate, weight_decay=schedule.weight_decay)

    def learning_rate(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0."""
        schedule = self.config.schedule
        share = (1 + math.cos(math.pi * epoch / schedule.epochs)) / 2 if schedule.anneal else 1.0
        return schedule.learning_rate * share

    def batches(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on."""
        return self.dataset.batches(epoch, first)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch; each distinct vehicle and sentence is encoded once."""
        vehicles, shown = self._tell_vehicles(batch.vehicles)
        texts, said = self._tell_wordings(batch.wordings)
        text_rows, vehicle_rows = self._put(batch.text_rows), self._put(batch.vehicle_rows)
        loss = contrastive_loss(texts[text_rows], vehicles[vehicle_rows], self.config.loss)
        if shown is None or said is None:
            return loss
        show, say = self._put(batch.labels), self._put(self.dataset.said[batch.wordings])
        return loss + attribute_loss(shown, show, SHOWN) + attribute_loss(said, say, SAID)

    def validate(self) -> dict[str, float]:
        """Return "mrr", "recall_5", "recall_10" of ranking the held-out tracks by their sentences; empty without any.

        A score is the mean cosine over sentences and shown frames (P2, section 3.2.5), which is the inner product of
        the mean unit vectors. Ties count with their expected value.
        """
        if not self.validation:
            return {}
        scores = self._text_vectors(self.validation) @ self._vehicle_vectors(self.validation).T
        return held_out_metrics(scores)

    def save(self, directory: Path, *, steps: int) -> None:
        """Write a checkpoint of the model as it is after so many steps."""
        config = self.config.to_toml()
        save_checkpoint(directory, self.model, config=config, tokenizer=self._tokenizer_text, steps=steps)

    def _tell_vehicles(self, vehicles: Vehicles) -> tuple[Tensor, Tensor | None]:
        """Return the vectors of vehicles and the logits of their attributes, if there are heads for them."""
        inputs = (vehicles.background, vehicles.crop, vehicles.points, vehicles.lengths)
        tensors = [self._put(values) for values in inputs]
        if not vehicles.are_seen:
            return self.model.vehicle.tell(*self.model.vehicle.see(*tensors))
        patch, grid = (None if values is None else self._put(values) for values in (vehicles.patch, vehicles.grid))
        return self.model.vehicle.tell(*tensors, (patch, grid))

    def _copies(self, progress: Progress) -> Copies:
        """Return what the towers make of copies of the tracks, having seen to it that they have read the texts too."""
        memory = self._memory
        if memory.copies is None:
            memory.copies = self.dataset.freeze(self.config.schedule.copies, self._see, progress)
        if memory.texts is None:
            memory.texts = self._features_of(self.dataset.tokens)
        return memory.copies

    def _embeddings(self, embed: Embed, texts: Sequence[str]) -> np.ndarray:
        if self._memory.embeddings is None:
            self._memory.embeddings = embed(texts)
        return self._memory.embeddings

    def _tell_wordings(self, rows: np.ndarray) -> tuple[Tensor, Tensor | None]:
        """Return the vectors of wordings and the logits of what they say, if there is a head for that."""
        text = self.model.text
        if self._memory.texts is not None:
            return text.tell(self._memory.texts[torch.from_numpy(rows)].to(self.device))
        ids, mask = self.dataset.tokens.ids[rows], self.dataset.tokens.mask[rows]
        return text.tell(text.tower(self._put(ids), self._put(mask)))

    @cached_property
    def _eyes(self) -> VehicleEncoder:
        return still(self.model.vehicle)

    def _see(self, vehicles: Sequence[Vehicle]) -> Seen:
        """Return what the image towers make of vehicles' images, and what else of them is still to be seen."""
        eyes = self._eyes if self.config.schedule.copies else self.model.vehicle

        def look(background: Tensor, crop: Tensor) -> Seen:
            shown, cut, grid = eyes.look(background, crop)
            parts = (shown, cut, eyes.reduce(crop), grid)
            return Seen(*(None if part is None else part.cpu().numpy() for part in parts))

        images = [np.stack([getattr(one, name) for one in vehicles]) for name in ("background", "crop")]
        return Seen.each(lambda *values: np.concatenate(values), *see(look, images, self.device))

    def _put(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)

    @torch.no_grad()
    def _features_of(self, tokens: Tokens) -> Tensor:
        """Return what the text tower makes of sentences, float [N, D]."""
        longest = int(tokens.mask.sum(axis=1).max())  # padding changes nothing and costs as much as words
        blocks = zip(
            *(torch.from_numpy(of[:, :longest]).split(SEEN_AT_ONCE) for of in (tokens.ids, tokens.mask)), strict=True
        )
        features = [self.model.text.tower(ids.to(self.device), mask.to(self.device)).cpu() for ids, mask in blocks]
        return torch.cat(features)

    def _text_vectors(self, tracks: Sequence[Track]) -> np.ndarray:
        """Return the mean vector of each track's sentences, as the engine makes a query's."""
        model, features = self.config.model, self._memory.held_texts
        told = [track.nl for track in tracks]
        if model.attributes:
            told += [track.nl_other_views for track in tracks]
        if features is None:
            features = self._features_of(self._tokenizer(list(chain.from_iterable(told))))
        if self.config.schedule.copies:
            self._memory.held_texts = features
        vectors = self.model.text.tell(features.to(self.device))[0].cpu().numpy()
        owners = np.repeat(np.arange(len(told)) % len(tracks), [len(texts) for texts in told])
        own = sum(len(track.nl) for track in tracks)
        here = _means(zip(owners[:own], vectors[:own], strict=True), len(tracks))
        everywhere = _means(zip(owners, vectors, strict=True), len(tracks))
        return with_lasting(here, everywhere, slices(model.width, attributes=model.attributes))

    def _vehicle_vectors(self, tracks: Sequence[Track]) -> np.ndarray:
        """Return the mean vector of each track over the frames the recipe shows it by, among those that can be read."""
        rows, seen = self._memory.held_vehicles or self._look_at(tracks)
        if self.config.schedule.copies:
            self._memory.held_vehicles = rows, seen  # the towers will see the same in every epoch
        vectors = [self._tell_vehicles(block)[0].cpu().numpy() for block in seen]
        return _means(zip(rows, np.concatenate(vectors), strict=True), len(tracks))

    def _look_at(self, tracks: Sequence[Track]) -> tuple[list[int], list[Vehicles]]:
        """Return the row of the track that each shot shows, and the shots as features, in blocks."""
        plan = ShotPlan(tracks, self.store, self.config.recipe.frames)
        seen: dict[Shot, tuple[Seen, np.ndarray, int]] = {}
        while todo := [shot for shot in plan.shots if shot not in seen]:
            unreadable = set()
            shown = read_vehicles(tracks, [Look(shot) for shot in todo], self.store, self.config.recipe)
            while block := list(islice(shown, SEEN_AT_ONCE)):
                unreadable |= {tracks[look.shot.row].frames[look.shot.position] for look, one in block if one is None}
                read = [(look.shot, one) for look, one in block if one is not None]
                if read:
                    left = self._see([one for _, one in read]).half()
                    for place, (shot, one) in enumerate(read):
                        seen[shot] = left[place], one.points, one.length
            if unreadable:
                plan.drop(unreadable)
        blocks = []
        for first in range(0, len(plan.shots), SEEN_AT_ONCE):
            left, points, lengths = zip(*(seen[shot] for shot in plan.shots[first : first + SEEN_AT_ONCE]), strict=True)
            blocks.append(Vehicles.of(Seen.stack(left), points, lengths))
        return [shot.row for shot in plan.shots], blocks


def _means(vectors: Iterable[tuple[int, np.ndarray]], count: int) -> np.ndarray:
    """Return the mean vector of each row: float64 [count, D]."""
    sums: list[list[np.ndarray]] = [[] for _ in range(count)]
    for row, vector in vectors:
        sums[row].append(vector)
    return np.stack([np.mean(own, axis=0, dtype=np.float64) for own in sums])
