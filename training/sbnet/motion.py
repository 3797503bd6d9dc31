"""Which way a vehicle goes, read from the path of its boxes: frames by themselves show none of it. Not of P1."""

from __future__ import annotations

from torch import Tensor, nn

from nlvr.engine.language import MOTIONS

from ..backbones.heads import Head
from ..backbones.motion import Course

_WIDTH = 64


class PathMotion(nn.Module):
    """Box points → logits over `language.MOTIONS`."""

    def __init__(self) -> None:
        super().__init__()
        self.course = Course(_WIDTH)
        self.head = Head(_WIDTH, len(MOTIONS))

    def forward(self, points: Tensor, lengths: Tensor) -> Tensor:
        """points: float [N, T, 2] (`nlvr.engine.preprocess.points`).  lengths: int64 [N], 1 to T.

        Returns float [N, 4].
        """
        return self.head([self.course(points, lengths)])
