"""SBNet as a task of the training loop: its batches, its loss, its measure on the held-out scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nlvr.engine.cityflow import Query
from nlvr.engine.geometry import spread
from nlvr.engine.sampling import check_boxes
from nlvr.engine.tokenizer import Tokenizer

from ..backbones.still import see, still
from ..checkpoint import save_checkpoint
from ..data import held_out_metrics, identity, sentences
from .attributes import Attributes, box_corners, moved
from .dataset import SBNetDataset
from .evaluation import score_matrix
from .losses import classification_loss, future_loss, segmentation_loss, substitution_loss, total_loss
from .memory import Memory

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import tokenizers
    from torch import Tensor

    from nlvr.engine.cityflow import Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.systems import Progress
    from nlvr.engine.tokenizer import Tokens

    from .config import SBNetConfig
    from .dataset import Batch, Beside, Views
    from .model import Output, SBNet


_BLOCK = 64  # sentences read at once


class SBNetTask:
    """Trains `model` on tracks and measures it on others. See `nlvr.training.loop.Task` for what the loop uses."""

    def __init__(
        self,
        config: SBNetConfig,
        model: SBNet,
        tokenizer: tokenizers.Tokenizer,
        store: FrameStore,
        *,
        training: Sequence[Track],
        validation: Sequence[Track] = (),
        memory: Memory | None = None,
        progress: Progress = lambda *_: None,
    ) -> None:
        """validation: the tracks of the scene that is held out.

        memory: of tasks that share it, where the backbones are shown views; by default the task's own.
        progress: is told how many views a frozen backbone has seen.
        Raises InputError for tracks that cannot be trained on or measured.
        """
        self.config, self.model, self.store = config, model, store
        most = config.schedule.validation_tracks
        self.validation = [validation[row] for row in spread(len(validation), most)] if most else validation
        self.device = next(model.parameters()).device
        self._tokenizer_text = tokenizer.to_str()
        self._tokenizer = Tokenizer(tokenizer, length=config.text.length)
        self.dataset = SBNetDataset(config, training, store, self._tokenizer)
        sentences(validation)
        check_boxes(validation, store)
        self.identity = identity(config, [*training, *validation])
        self._memory = Memory() if memory is None else memory
        if config.schedule.copies:
            self.dataset.use(self._views(progress), early_channels=model.image.early_channels)
        self.steps = self.dataset.steps

    def optimizer(self) -> torch.optim.Optimizer:
        """Return Adam with an L2 penalty over what is not frozen (P1, section 7.1)."""
        schedule = self.config.schedule
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        return torch.optim.Adam(
            trained, schedule.learning_rate, betas=(schedule.beta1, 0.999), weight_decay=schedule.weight_decay
        )

    def learning_rate(self, epoch: int) -> float:
        """Return the rate of an epoch, counted from 0: multiplied by `decay` after each of `decay_epochs`."""
        schedule = self.config.schedule
        return schedule.learning_rate * schedule.decay ** sum(epoch >= after for after in schedule.decay_epochs)

    def batches(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        """Yield the epoch's batches from number `first` on."""
        return self.dataset.batches(epoch, first)

    def loss(self, batch: Batch) -> Tensor:
        """Return the total loss of one batch (eq. 23); each distinct frame and sentence is encoded once."""
        boxes, mask = self._put(batch.boxes), self._put(self.dataset.tokens.mask[batch.wordings])
        rows = {"frame_rows": self._put(batch.frame_rows), "text_rows": self._put(batch.text_rows)}
        images = self._put(batch.images)
        seen = images if batch.are_seen else self.model.image.see(images)
        sentences = self._sentences(batch.wordings, mask)
        out = self.model.compare(seen, sentences, mask, boxes, **rows)
        return total_loss(self._parts(out, batch), self.config.loss)

    def _views(self, progress: Progress) -> Views:
        """Return what the backbone makes of views of the tracks, having seen to it that the sentences are read too."""
        memory = self._memory
        if memory.views is None:
            eyes = still(self.model.image)

            def look(images: np.ndarray) -> np.ndarray:
                return torch.cat(see(eyes.see, [images], self.device)).float().cpu().numpy()

            memory.views = self.dataset.freeze(self.config.schedule.copies, look, progress)
        if memory.states is None:
            memory.states = self._states_of(self.dataset.tokens)
        return memory.views

    def _beside(self, beside: Beside) -> Attributes:
        """Return the logits of boxes beside a batch."""
        corners = moved(box_corners(self._put(beside.boxes)), self._put(beside.moves), self.config.cells)
        return self.model.image_attributes(self.model.by_cell(self._put(beside.seen)), corners)

    def _sentences(self, wordings: np.ndarray, mask: Tensor) -> Tensor:
        states = self._memory.states
        if states is not None:
            return self.model.language.projection(states[torch.from_numpy(wordings)].to(self.device).float())
        return self.model.language(self._put(self.dataset.tokens.ids[wordings]), mask)

    @torch.no_grad()
    def _states_of(self, tokens: Tokens) -> Tensor:
        """Return the language backbone's hidden states of sentences: float16 [U, l, D]."""
        blocks = zip(*(self._put(of).split(_BLOCK) for of in (tokens.ids, tokens.mask)), strict=True)
        return torch.cat([self.model.language.backbone(*block).half().cpu() for block in blocks])

    def _parts(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        """Return the losses of the modules that are switched on, in float32 whatever comes before them."""
        settings, positive = self.config.loss, self._put(batch.positive)
        target = (self._put(batch.boxes) & positive[:, None, None]).float()
        gamma = settings.gamma if settings.mask == "focal" else 0.0
        parts = {"segmentation": segmentation_loss(out.mask.float(), target, gamma=gamma)}
        if out.text and out.image:
            image, shown = out.image, batch.image_labels[:, :2]
            if batch.beside:
                more = self._beside(batch.beside)
                image = Attributes(torch.cat([image.colour, more.colour]), torch.cat([image.type, more.type]))
                shown = np.concatenate([shown, batch.beside.labels])
            predictions = [
                (logits.float(), labels)
                for seen, known in ((out.text, batch.text_labels), (image, shown))
                for logits, labels in zip((seen.colour, seen.type), self._put(known).unbind(1), strict=True)
            ]
            parts["classification"] = classification_loss(predictions, smoothing=settings.label_smoothing)
        if out.substitutes:
            pairs = out.substitutes
            vectors = [vector.float() for vector in (pairs.figt, pairs.fig, pairs.fngt, pairs.fng)]
            parts["substitution"] = substitution_loss(*vectors, positive, detach=settings.detach_targets)
        if out.future is not None:
            following = self.model.image.normalise(self._put(batch.following))
            parts["future"] = future_loss(out.future.float(), following, self._put(batch.followed))
        if self.model.motion:
            moves = self.model.motion(self._put(batch.points), self._put(batch.lengths))
            told = [(moves.float(), self._put(batch.image_labels[:, 2]))]
            parts["motion"] = classification_loss(told, smoothing=settings.label_smoothing)
        return parts

    def validate(self) -> dict[str, float]:
        """Return "mrr", "recall_5", "recall_10" of ranking the held-out tracks by their sentences; empty without any.

        Ties count with their expected value.
        """
        if not self.validation:
            return {}
        queries = [Query(track.id, track.nl, track.nl_other_views) for track in self.validation]
        frames = self.config.schedule.validation_frames
        scores = score_matrix(
            self.model,
            queries,
            self.validation,
            self.store,
            self._tokenizer,
            rule=str(frames) if frames else None,
            memory=self._memory.held_frames if self.config.schedule.copies else None,
        )
        return held_out_metrics(scores)

    def save(self, directory: Path, *, steps: int) -> None:
        """Write a checkpoint of the model as it is after so many steps."""
        config = self.config.to_toml()
        save_checkpoint(directory, self.model, config=config, tokenizer=self._tokenizer_text, steps=steps)

    def _put(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self.device)
