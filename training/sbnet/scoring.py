"""How well a query describes a track (P1, section 4.9), computed pair by pair as the equations stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from nlvr.engine.errors import ScoreError
from nlvr.engine.systems.sbnet_queries import ERRING, said_of

from .attributes import Attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from nlvr.engine.cityflow import Query
    from nlvr.engine.systems.sbnet_queries import Match

    from .config import ScoreConfig
    from .model import Output, SBNet
    from .substitution import Substitutes


@dataclass(frozen=True, slots=True)
class PairScore:
    """Prob (eq. 22) and its terms; a term whose module is switched off is 0.

    mpr: in [0, 1].  ss: in [−2, 2].  ctm, motion: before λ; in [0, 2] and [0, 1], for "log"
        of each of their attributes in [log ERRING, log (1 + ERRING)].
    """

    mpr: float
    ss: float
    ctm: float
    motion: float
    prob: float


@dataclass(frozen=True, slots=True)
class Said:
    """What a query says: how much each colour, type and motion of `language` counts, float [12], [10] and [4]."""

    colour: Tensor
    type: Tensor
    motion: Tensor


def mask_prediction_ratio(mask: Tensor, boxes: Tensor) -> Tensor:
    """Return MPR = Σ M·b / Σ b (eq. 19).

    mask: M, float [N, h, w] in [0, 1].  boxes: b, bool [N, h, w], none empty.  Returns float [N].
    """
    b = boxes.to(mask.dtype)
    return (mask * b).sum((1, 2)) / b.sum((1, 2))


def substitution_similarity(substitutes: Substitutes) -> Tensor:
    """Return SS = cs(FIgt, FIg) + cs(FNgt, FNg) (eq. 20): float [N]."""
    image = functional.cosine_similarity(substitutes.figt, substitutes.fig)
    return image + functional.cosine_similarity(substitutes.fngt, substitutes.fng)


def colour_type_match(image: Attributes, said: Said, match: Match) -> Tensor:
    """Return CTM = Ci[Cn] + Ti[Tn] (eq. 21): softmax of the mean logits, 0 where nothing is said.

    image: logits of one track's frames, float [F, 12] and [F, 10].
    match: "probability", or "log" for the logarithm of that, of which ERRING keeps mistakes from deciding all.
    Returns a scalar.
    """
    return _match(image.colour, said.colour, match) + _match(image.type, said.type, match)


def motion_match(path: Tensor, said: Said, match: Match) -> Tensor:
    """Return the same of a path's motion. path: logits of one track, float [1, 4].  Returns a scalar."""
    return _match(path, said.motion, match)


def shown(logits: Tensor, match: Match) -> Tensor:
    """Return what counts of each value, float [K]: its probability by the mean logits, or the logarithm of that.

    logits: float [F, K].
    """
    shares = logits.mean(0).softmax(0)
    return (shares + ERRING).log() if match == "log" else shares


def _match(logits: Tensor, counts: Tensor, match: Match) -> Tensor:
    values = shown(logits, match)
    return values @ counts.to(values)


def query_says(query: Query, match: Match, text: Attributes | None) -> Said:
    """Return what the query's sentences say, for colour and type where none says it what the language module does.

    text: logits of the query's sentences, float [S, 12] and [S, 10]; None for the words alone.
    """
    counts = {name: torch.from_numpy(values) for name, values in said_of(query, match).items()}
    for name in ("colour", "type"):
        if text is not None and not counts[name].any():
            counts[name][getattr(text, name).mean(0).argmax()] = 1
    return Said(**counts)


def probability(mpr: float, ss: float, ctm: float, motion: float, *, ctm_weight: float) -> float:
    """Return Prob = MPR + SS + λ·CTM (eq. 22), and beside CTM what is told of motion."""
    return mpr + ss + ctm_weight * (ctm + motion)


@torch.no_grad()
def score_pair(
    model: SBNet,
    query: Query,
    track_id: str,
    *,
    ids: Tensor,
    mask: Tensor,
    images: Tensor,
    boxes: Tensor,
    points: Tensor,
    lengths: Tensor,
) -> PairScore:
    """Score one query and one track: means over all pairs of a frame and a sentence. `model` is in evaluation mode.

    ids, mask: int64 [S, l], the query's sentences.
    images: uint8 [F, size, size, 3] RGB, frames that show the track.  boxes: b, bool [F, h, w], none empty.
    points: float32 [1, T, 2], lengths: int64 [1], the track's path.
    Raises ScoreError naming track, query, frame and term where a term is not a number.
    """
    sentences = torch.arange(len(ids), device=ids.device)
    mpr, ss, seen = [], [], []
    for frame, box in enumerate(boxes):
        out = model(
            images[frame : frame + 1],
            ids,
            mask,
            box.expand(len(ids), -1, -1),
            frame_rows=torch.zeros_like(sentences),
            text_rows=sentences,
        )
        place = f"track {track_id}, query {query.id}, frame {frame}"
        mpr.append(_number(mask_prediction_ratio(out.mask.sigmoid(), box[None]), f"{place}: MPR"))
        if out.substitutes:
            ss.append(_number(substitution_similarity(out.substitutes), f"{place}: SS"))
        if out.image and out.text:
            _number(torch.cat([out.image.colour, out.image.type, out.text.colour, out.text.type], 1), f"{place}: CTM")
            seen.append(out)
    score = model.config.score
    ctm = _ctm(query, seen, score) if seen else 0.0
    motion = 0.0
    if model.motion:
        path = _number(model.motion(points, lengths), f"track {track_id}, query {query.id}: motion")
        motion = motion_match(path, query_says(query, score.match, None), score.match).item()
    terms = _mean(mpr), _mean(ss) if ss else 0.0, ctm, motion
    return PairScore(*terms, prob=probability(*terms, ctm_weight=score.ctm_weight))


def _ctm(query: Query, seen: Sequence[Output], score: ScoreConfig) -> float:
    # What a sentence says does not depend on the frame, nor what a frame shows on the sentence: one row of each counts.
    image = Attributes(
        torch.cat([out.image.colour[:1] for out in seen]), torch.cat([out.image.type[:1] for out in seen])
    )
    said = query_says(query, score.match, seen[0].text if score.nl_labels else None)
    return colour_type_match(image, said, score.match).item()


def _number(values: Tensor, place: str) -> Tensor:
    if not values.isfinite().all():
        raise ScoreError(place, "is not a number", "the checkpoint is damaged or its training failed; train again")
    return values


def _mean(values: Sequence[Tensor]) -> float:
    return torch.cat(list(values)).mean().item()
