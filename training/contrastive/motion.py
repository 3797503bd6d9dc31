"""The motion stream of P2: a BiLSTM over a track's box points."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MotionEncoder(nn.Module):
    """Box points → the final states of a forward and a backward LSTM, joined (P2, section 3.2.2).

    Two plain LSTMs stand for the bidirectional one over a packed sequence, which ONNX has no form for: the second reads
    the sequence reversed by its own length, and each is read at its last real step, so that padding never counts. It is
    float32 whatever precision is around it: half of it says no more of where a box is, and not every CPU can.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = 2 * width
        self.forwards = nn.LSTM(2, width, batch_first=True)
        self.backwards = nn.LSTM(2, width, batch_first=True)

    def forward(self, points: Tensor, lengths: Tensor) -> Tensor:
        """points: float [B, T, 2], padded.  lengths: int64 [B], 1 to T.  Returns float [B, 2 * width]."""
        last = (lengths - 1)[:, None]
        # Steps beyond the length repeat the first point; no state that is read has seen them.
        reverse = (last - torch.arange(points.shape[1], device=points.device)).clamp(min=0)
        reversed_points = points.gather(1, reverse[:, :, None].expand(-1, -1, 2))
        with torch.autocast(points.device.type, enabled=False):
            ends = [
                lstm(sequence)[0].gather(1, last[:, :, None].expand(-1, -1, lstm.hidden_size))[:, 0]
                for lstm, sequence in ((self.forwards, points), (self.backwards, reversed_points))
            ]
        return torch.cat(ends, dim=1)
