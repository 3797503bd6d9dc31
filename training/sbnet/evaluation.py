"""Every query against every track, dense as `scoring` has it, but each distinct view and sentence encoded once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nlvr.engine.errors import ScoreError
from nlvr.engine.frames import frame_order
from nlvr.engine.preprocess import Recipe, points
from nlvr.engine.sampling import ShotPlan

from ..backbones.pooling import masked_mean
from ..data import image_sizes
from .attributes import Attributes, box_mean
from .scoring import (
    mask_prediction_ratio,
    probability,
    query_says,
    shown,
    substitution_similarity,
)
from .substitution import Substitutes
from .views import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlvr.engine.cityflow import Query, Track
    from nlvr.engine.frames import FrameStore
    from nlvr.engine.sampling import Shot
    from nlvr.engine.tokenizer import Tokenizer

    from .model import SBNet

_BLOCK = 32  # sentences that look at a frame at once

SeenFrames = dict[str, list[tuple[Tensor, Tensor]]]
"""By frame, what an image backbone that does not change made of its views and their boxes, of equal calls."""


@dataclass(frozen=True, slots=True)
class _Sentences:
    """What U distinct sentences say, and which of them are each query's.

    tokens: FN, float [U, l, e].  mask: int64 [U, l].  fngt: float [U, e].  fig: float [U, c], None without its module.
    """

    tokens: Tensor
    mask: Tensor
    fngt: Tensor
    fig: Tensor | None
    rows: Sequence[np.ndarray]


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one frame shows of one track.

    mpr, ss: float32 [U], of each sentence.
    image: the box's logits, float [1, 12] and [1, 10], None without their module.
    """

    mpr: np.ndarray
    ss: np.ndarray
    image: Attributes | None


@torch.inference_mode()
def score_matrix(
    model: SBNet,
    queries: Sequence[Query],
    tracks: Sequence[Track],
    store: FrameStore,
    tokenizer: Tokenizer,
    *,
    rule: str | None = None,
    memory: SeenFrames | None = None,
) -> np.ndarray:
    """Return Prob (eq. 22) of each query and track: float64 [Q, T].

    model: in evaluation mode.  rule: which frames show a track, by default the recipe's.
    memory: what a frozen image backbone made of frames, to be read and added to.
    Raises FrameError for tracks of which no frame can be read; ScoreError for a track whose score is not a number.
    """
    sentences = _encode(model, queries, tokenizer)
    plan = ShotPlan(tracks, store, rule or model.config.recipe.frames)
    seen: dict[Shot, _Sight] = {}
    while todo := [shot for shot in plan.shots if shot not in seen]:
        shown = _look(model, sentences, tracks, todo, store, memory=memory)
        seen |= shown
        unreadable = {tracks[shot.row].frames[shot.position] for shot in todo if shot not in shown}
        if unreadable:
            plan.drop(unreadable)
    of_track: list[list[_Sight]] = [[] for _ in tracks]
    for shot in plan.shots:
        of_track[shot.row].append(seen[shot])
    mpr = np.stack([np.mean([sight.mpr for sight in own], axis=0, dtype=np.float64) for own in of_track], axis=1)
    ss = np.stack([np.mean([sight.ss for sight in own], axis=0, dtype=np.float64) for own in of_track], axis=1)
    ctm = _colour_type_matches(model, queries, sentences, of_track)
    motion = _motion_matches(model, queries, tracks, store)
    weight = model.config.score.ctm_weight
    scores = np.stack(
        [
            probability(mpr[rows].mean(axis=0), ss[rows].mean(axis=0), *matches, ctm_weight=weight)
            for rows, *matches in zip(sentences.rows, ctm, motion, strict=True)
        ]
    )
    for column in np.flatnonzero(~np.isfinite(scores).all(axis=0)):
        place = f"track {tracks[column].id}"
        raise ScoreError(place, "its score is not a number", "lower schedule.learning_rate")
    return scores


def _encode(model: SBNet, queries: Sequence[Query], tokenizer: Tokenizer) -> _Sentences:
    texts = [sentence for query in queries for sentence in query.nl]
    distinct, rows = np.unique(texts, return_inverse=True)
    encoded = tokenizer(distinct.tolist())
    device = next(model.parameters()).device
    ids, mask = (torch.from_numpy(values).to(device) for values in (encoded.ids, encoded.mask))
    blocks = zip(ids.split(_BLOCK), mask.split(_BLOCK), strict=True)
    tokens = torch.cat([model.language(*block) for block in blocks])
    ends = np.cumsum([len(query.nl) for query in queries])
    fngt = masked_mean(tokens, mask)
    fig = model.substitution.image_from_text(fngt) if model.substitution else None
    return _Sentences(tokens, mask, fngt, fig, np.split(rows, ends[:-1]))


def _look(
    model: SBNet,
    sentences: _Sentences,
    tracks: Sequence[Track],
    shots: Sequence[Shot],
    store: FrameStore,
    *,
    memory: SeenFrames | None,
) -> dict[Shot, _Sight]:
    """Return what each shot shows, of those whose frames can be read."""
    shots_of: dict[str, list[Shot]] = defaultdict(list)
    for shot in shots:
        shots_of[tracks[shot.row].frames[shot.position]].append(shot)
    config, device = model.config, sentences.tokens.device
    recipe = Recipe(size=config.recipe.size, resize=config.recipe.resize, around=config.recipe.around)

    def prepare(frame: str, image: np.ndarray | None) -> list[tuple[np.ndarray, np.ndarray]] | None:
        if image is None:
            return None
        boxes = np.stack([tracks[shot.row].boxes[shot.position] for shot in shots_of[frame]])
        views = [View.scored(own, recipe) for own in (boxes[:, None] if recipe.around else [boxes])]
        return [(view.shown(image, recipe), view.masks(*image.shape[1::-1], config.cells)) for view in views]

    def sights(views: Sequence[tuple[Tensor, Tensor]]) -> list[_Sight]:
        return [sight for features, boxes in views for sight in _sights(model, sentences, features, boxes)]

    known = {} if memory is None else memory
    seen: dict[Shot, _Sight] = {}
    for frame in sorted(shots_of.keys() & known.keys(), key=frame_order):
        seen |= zip(shots_of[frame], sights(known[frame]), strict=True)
    for frame, prepared in store.map(sorted(shots_of.keys() - known.keys(), key=frame_order), prepare):
        if prepared is not None:
            views = [
                (model.image.see(torch.tensor(image[None], device=device)), torch.tensor(boxes, device=device))
                for image, boxes in prepared
            ]
            if memory is not None:
                memory[frame] = views
            seen |= zip(shots_of[frame], sights(views), strict=True)
    return seen


def _sights(model: SBNet, sentences: _Sentences, seen: Tensor, boxes: Tensor) -> list[_Sight]:
    """Return what one view shows in each box. seen: by the backbone, float [1, D, h, w].  boxes: bool [K, h, w]."""
    features, cells = model.image.project(seen), model.by_cell(seen)
    masks = torch.cat(
        [
            model.multimodal(features.expand(len(tokens), -1, -1, -1), tokens, mask).sigmoid()
            for tokens, mask in zip(sentences.tokens.split(_BLOCK), sentences.mask.split(_BLOCK), strict=True)
        ]
    )
    sights = []
    for box in boxes[:, None]:
        mpr = mask_prediction_ratio(masks, box.expand_as(masks))
        ss = _similarities(model, sentences, features, box)
        sights.append(_Sight(mpr.cpu().numpy(), ss.cpu().numpy(), model.see_attributes(features, cells, box)))
    return sights


def _similarities(model: SBNet, sentences: _Sentences, features: Tensor, box: Tensor) -> Tensor:
    """Return SS of one box and each sentence, 0 without its module. box: bool [1, h, w]. Returns float [U]."""
    module, fngt, fig = model.substitution, sentences.fngt, sentences.fig
    if module is None or fig is None:
        return fngt.new_zeros(len(fngt))
    figt = box_mean(features, box) if module.of_box else features.mean((2, 3))
    fng = module.text_from_image(features, box)
    return substitution_similarity(Substitutes(figt.expand_as(fig), fig, fngt, fng.expand_as(fngt)))


def _motion_matches(model: SBNet, queries: Sequence[Query], tracks: Sequence[Track], store: FrameStore) -> np.ndarray:
    """Return how well each track's path fits what each query says of motion, 0 without its module: float64 [Q, T]."""
    if model.motion is None:
        return np.zeros((len(queries), len(tracks)))
    sizes = image_sizes(tracks, store)
    paths = [points(track.boxes, *size, Recipe()) for track, size in zip(tracks, sizes, strict=True)]
    device = next(model.parameters()).device
    lines, lengths = (torch.tensor(np.array(part), device=device) for part in zip(*paths, strict=True))
    match = model.config.score.match
    seen = torch.stack([shown(path, match) for path in model.motion(lines, lengths)[:, None]])
    said = torch.stack([query_says(query, match, None).motion for query in queries])
    return (said.to(seen) @ seen.T).cpu().numpy()


def _colour_type_matches(
    model: SBNet, queries: Sequence[Query], sentences: _Sentences, of_track: Sequence[Sequence[_Sight]]
) -> np.ndarray:
    """Return CTM of each query and track, 0 without its module: float64 [Q, T]."""
    if model.image_attributes is None or model.text_attributes is None:
        return np.zeros((len(queries), len(of_track)))
    told, score = model.text_attributes(sentences.tokens), model.config.score
    said = []
    for query, rows in zip(queries, sentences.rows, strict=True):
        text = Attributes(told.colour[rows], told.type[rows]) if score.nl_labels else None
        said.append(query_says(query, score.match, text))
    matches = 0
    for name in ("colour", "type"):
        logits = [torch.cat([getattr(sight.image, name) for sight in own]) for own in of_track]
        seen = torch.stack([shown(of, score.match) for of in logits])
        matches = matches + torch.stack([getattr(of, name) for of in said]).to(seen) @ seen.T
    return matches.cpu().numpy()
