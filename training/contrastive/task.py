"""The contrastive system as a task of the training loop: its batches, its loss, its measure on the held-out scene."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from nlvr.engine.metrics import expected_metrics
from nlvr.engine.sampling import ShotPlan, check_boxes
from nlvr.engine.tokenizer import Tokenizer

from ..checkpoint import save_checkpoint
from ..data import identity, sentences
from .dataset import ContrastiveDataset, Vehicles, read_vehicles
from .losses import contrastive_loss
from .sentences import sentence_embeddings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    import tokenizers
    from torch import Tensor

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.preprocess import Vehicle
    from nlvr.engine.sampling import Shot

    from .config import ContrastiveConfig
    from .dataset import Batch, Embed
    from .model import ContrastiveModel

_BLOCK = 32  # vehicles or sentences encoded at once in validation


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
    ) -> None:
        """validation: the tracks of the scene that is held out.  embed: as in ContrastiveDataset.

        Raises InputError for tracks that cannot be trained on or measured.
        """
        self.config, self.model, self.store, self.validation = config, model, store, validation
        self.device = next(model.parameters()).device
        self._tokenizer_text = tokenizer.to_str()
        self._tokenizer = Tokenizer(tokenizer, length=config.text.length)
        self.dataset = ContrastiveDataset(
            training,
            store,
            self._tokenizer,
            recipe=config.recipe,
            negatives=config.negatives,
            batch=config.schedule.batch,
            seed=config.schedule.seed,
            embed=embed,
        )
        sentences(validation)
        check_boxes(validation, store)
        self.steps = self.dataset.steps
        self.identity = identity(config, [*training, *validation])

    def optimizer(self) -> torch.optim.Optimizer:
        """Return AdamW over what is not frozen."""
        schedule = self.config.schedule
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trained, schedule.learning_rate, weight_decay=schedule.weight_decay)

    def learning_rate(self, epoch: int) -> float:
        """Return the rate of an epoch: the same for all."""
        return self.config.schedule.learning_rate

    def batches(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on."""
        return self.dataset.batches(epoch, first)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of one batch; each distinct vehicle and sentence is encoded once."""
        vehicles = self._encode_vehicles(batch.vehicles)[torch.from_numpy(batch.vehicle_rows)]
        texts = self._encode_texts(batch.ids, batch.mask)[torch.from_numpy(batch.text_rows)]
        return contrastive_loss(texts, vehicles, self.config.loss)

    def validate(self) -> dict[str, float]:
        """Return "mrr", "recall_5", "recall_10" of ranking the held-out tracks by their sentences; empty without any.

        A score is the mean cosine over sentences and shown frames (P2, section 3.2.5), which is the inner product of
        the mean unit vectors. Ties count with their expected value.
        """
        if not self.validation:
            return {}
        scores = self._text_vectors(self.validation) @ self._vehicle_vectors(self.validation).T
        own = scores.diagonal()[:, None]
        metrics = expected_metrics((scores > own).sum(axis=1), (scores == own).sum(axis=1))
        return {"mrr": metrics.mrr, "recall_5": metrics.recall_5, "recall_10": metrics.recall_10}

    def save(self, directory: Path, *, steps: int) -> None:
        """Write a checkpoint of the model as it is after so many steps."""
        config = self.config.to_toml()
        save_checkpoint(directory, self.model, config=config, tokenizer=self._tokenizer_text, steps=steps)

    def _encode_vehicles(self, vehicles: Vehicles) -> Tensor:
        inputs = (vehicles.background, vehicles.crop, vehicles.points, vehicles.lengths)
        return self.model.encode_vehicles(*(torch.from_numpy(values).to(self.device) for values in inputs))

    def _encode_texts(self, ids: np.ndarray, mask: np.ndarray) -> Tensor:
        return self.model.encode_texts(torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device))

    def _text_vectors(self, tracks: Sequence[Track]) -> np.ndarray:
        tokens = self._tokenizer(sentences(tracks))
        blocks = [
            self._encode_texts(tokens.ids[first : first + _BLOCK], tokens.mask[first : first + _BLOCK]).cpu().numpy()
            for first in range(0, len(tokens.ids), _BLOCK)
        ]
        owners = np.repeat(np.arange(len(tracks)), [len(track.nl) for track in tracks])
        return _means(zip(owners, np.concatenate(blocks), strict=True), len(tracks))

    def _vehicle_vectors(self, tracks: Sequence[Track]) -> np.ndarray:
        """Return the mean vector of each track over the frames the recipe shows it by, among those that can be read."""
        plan = ShotPlan(tracks, self.store, self.config.recipe.frames)
        vectors: dict[Shot, np.ndarray] = {}
        while todo := [shot for shot in plan.shots if shot not in vectors]:
            unreadable = set()
            for block in _blocks(read_vehicles(tracks, todo, self.store, self.config.recipe)):
                unreadable |= {tracks[shot.row].frames[shot.position] for shot, vehicle in block if vehicle is None}
                vectors |= self._block_vectors([(shot, vehicle) for shot, vehicle in block if vehicle is not None])
            if unreadable:
                plan.drop(unreadable)
        return _means(((shot.row, vectors[shot]) for shot in plan.shots), len(tracks))

    def _block_vectors(self, block: Sequence[tuple[Shot, Vehicle]]) -> dict[Shot, np.ndarray]:
        if not block:
            return {}
        shots, vehicles = zip(*block, strict=True)
        return dict(zip(shots, self._encode_vehicles(Vehicles.stack(vehicles)).cpu().numpy(), strict=True))


def _blocks(items: Iterator[tuple[Shot, Vehicle | None]]) -> Iterator[list[tuple[Shot, Vehicle | None]]]:
    while block := list(islice(items, _BLOCK)):
        yield block


def _means(vectors: Iterable[tuple[int, np.ndarray]], count: int) -> np.ndarray:
    """Return the mean vector of each row: float64 [count, D]."""
    sums: list[list[np.ndarray]] = [[] for _ in range(count)]
    for row, vector in vectors:
        sums[row].append(vector)
    return np.stack([np.mean(own, axis=0, dtype=np.float64) for own in sums])
