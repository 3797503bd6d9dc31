"""The bidirectional losses of P2, "Contrastive Learning for Natural Language-Based Vehicle Retrieval", section 3.2.3.

Everywhere, `texts` and `vehicles` are floating [M, K, D]: for each of M samples K = k + 1 candidates, of which number 0
is the sample's own (the anchor s_i or v_i, and so the positive) and the others are its negatives.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from .config import LossConfig


def info_nce(anchors: Tensor, candidates: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Return −1/M Σ_i log( exp(g(a_i, c_i0)/τ) / Σ_k exp(g(a_i, c_ik)/τ) ), g the cosine; the sum over k includes 0.

    anchors: [M, D].  candidates: [M, K, D].  Returns a scalar.
    """
    logits = functional.cosine_similarity(anchors[:, None], candidates, dim=-1) / temperature
    return -functional.log_softmax(logits, dim=1)[:, 0].mean()


def marginal_triplet(anchors: Tensor, candidates: Tensor, *, margin: float = 0.5) -> Tensor:
    """Return 1/M Σ_i mean_k max{ d(a_i, c_i0) − d(a_i, c_ik) + margin, 0 }, d(x, y) = ‖x − y‖² of unit vectors, k ≥ 1.

    anchors: [M, D].  candidates: [M, K, D], K ≥ 2.  Returns a scalar.
    """
    anchors, candidates = functional.normalize(anchors, dim=-1), functional.normalize(candidates, dim=-1)
    distances = (anchors[:, None] - candidates).square().sum(dim=-1)
    return (distances[:, :1] - distances[:, 1:] + margin).clamp(min=0).mean()


def bidirectional(
    loss: Callable[[Tensor, Tensor], Tensor],
    texts: Tensor,
    vehicles: Tensor,
    *,
    mix: float = 0.3,
    direction: str = "both",
) -> Tensor:
    """Return λ·ℓ(s→v) + (1 − λ)·ℓ(v→s), or one of the two alone where `direction` names it.

    loss: ℓ(anchors, candidates).  mix: λ.  direction: "both", "text_to_vehicle" or "vehicle_to_text".
    """
    if direction == "text_to_vehicle":
        return loss(texts[:, 0], vehicles)
    if direction == "vehicle_to_text":
        return loss(vehicles[:, 0], texts)
    return mix * loss(texts[:, 0], vehicles) + (1 - mix) * loss(vehicles[:, 0], texts)


def contrastive_loss(texts: Tensor, vehicles: Tensor, config: LossConfig) -> Tensor:
    """Return the loss a configuration describes; texts and vehicles are [M, K, D]."""
    if config.kind == "triplet":
        loss = partial(marginal_triplet, margin=config.margin)
    else:
        loss = partial(info_nce, temperature=config.temperature)
    return bidirectional(loss, texts, vehicles, mix=config.mix, direction=config.direction)
