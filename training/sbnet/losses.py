"""The losses of SBNet (P1, section 5). Masked samples count nowhere; where nothing counts, a loss is 0.

N is the number of samples (a frame, a sentence, a box each), F the number of distinct frames, c and e the channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

from ..readings import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

    from .config import LossConfig


def segmentation_loss(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Return Lseg = −Σ (1 − p)^gamma · log p / Σ g, p = M on the cells of the mask g and 1 − M on all the others.

    Eq. 24 with the term for g = 0, without which M = 1 everywhere solves it. At 2, gamma gives the focal loss, at 0 the
    binary cross entropy. The sums are over all cells of all samples.

    logits: float [N, H, W], M before its sigmoid.  target: g, float [N, H, W], 0 or 1.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    signed = logits * (2 * target - 1)
    return ((-signed).sigmoid() ** gamma * entropy).sum() / target.sum().clamp(min=1)


def classification_loss(predictions: Iterable[tuple[Tensor, Tensor]], *, smoothing: float = 0.1) -> Tensor:
    """Return Lcls = −Σ_Z Pgt[Z] · log softmax(Z) over predictions Z: Cn, Tn, Ci and Ti (eq. 25), or motion.

    Each is a mean over its labelled samples; `smoothing` of a label is spread evenly over all classes.

    predictions: (logits float [N, classes], labels int64 [N], UNKNOWN where nothing is known) of each Z.
    """
    return sum(_cross_entropy(logits, labels, smoothing) for logits, labels in predictions)


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    summed = functional.cross_entropy(logits, labels, ignore_index=UNKNOWN, label_smoothing=smoothing, reduction="sum")
    return summed / (labels != UNKNOWN).sum().clamp(min=1)


def substitution_loss(
    image: Tensor,
    image_generated: Tensor,
    text: Tensor,
    text_generated: Tensor,
    counted: Tensor,
    *,
    detach: bool = True,
) -> Tensor:
    """Return Lsub = 2 − cs(FIgt, FIg) − cs(FNgt, FNg), a mean over the counted samples (eq. 26, its sign mended).

    image, image_generated: FIgt, FIg, float [N, c].  text, text_generated: FNgt, FNg, float [N, e].
    counted: bool [N], false where the sentence is not of the vehicle.
    detach: let no gradient into the targets FIgt and FNgt, which could otherwise give way to what is generated.
    """
    if detach:
        image, text = image.detach(), text.detach()
    distance = 2 - _cosine(image, image_generated) - _cosine(text, text_generated)
    return (distance * counted).sum() / counted.sum().clamp(min=1)


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return functional.cosine_similarity(a, b, dim=-1)


def future_loss(predicted: Tensor, following: Tensor, counted: Tensor) -> Tensor:
    """Return Lfut = 1 / (3·h·w) · Σ (U − I)², a mean over the counted frames (eq. 27).

    predicted, following: U and the next frame I, float [F, 3, h, w].  counted: bool [F], false where there is none.
    """
    squared = (predicted - following).square().mean(dim=(1, 2, 3))
    return (squared * counted).sum() / counted.sum().clamp(min=1)


def total_loss(parts: Mapping[str, Tensor], weights: LossConfig) -> Tensor:
    """Return L = Lseg + λ1·Lcls + Lsub + λ2·Lfut (eq. 23), with motion beside them, of what is switched on.

    parts: of "segmentation", "classification", "substitution", "future" and "motion", the losses there are.
    """
    return sum(getattr(weights, name) * part for name, part in parts.items())
