"""The motion stream of P2, a BiLSTM over a track's box points, and how the path that they draw runs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .heads import Standardise


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


class Course(nn.Module):
    """Box points → how the path through them runs: where it leads, how it bends, and where it is slow.

    The path is cut into equal times. A turn to the left bends the same way in the image wherever a camera above the
    road stands, which few turns cannot teach an LSTM that has points alone.
    """

    _CUTS = 9
    _STILL = 0.003  # of the image's side; the less moves between two cuts, the less of a direction it has

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        steps = self._CUTS - 1
        inputs = 5 * steps + 2 * (steps - 1) + 6
        self.layers = nn.Sequential(
            Standardise(inputs),
            nn.Linear(inputs, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )

    def forward(self, points: Tensor, lengths: Tensor) -> Tensor:
        """points: float [B, T, 2], padded.  lengths: int64 [B], 1 to T.  Returns float [B, width]."""
        with torch.autocast(points.device.type, enabled=False):
            return self.layers(self.describe(points, lengths))

    def describe(self, points: Tensor, lengths: Tensor) -> Tensor:
        """Return the path in numbers, float [B, inputs]."""
        cuts = self._cut(points, lengths)
        steps = cuts[:, 1:] - cuts[:, :-1]
        far = steps.square().sum(2, keepdim=True).sqrt()
        whole = far.sum(1) + self._STILL
        ways = steps / (far + self._STILL)
        before, after = ways[:, :-1], ways[:, 1:]
        bends = before[:, :, 0] * after[:, :, 1] - before[:, :, 1] * after[:, :, 0]
        keeps = (before * after).sum(2)
        lead = (cuts[:, -1] - cuts[:, 0]) / whole
        shares = far[:, :, 0] / whole
        parts = [(steps / whole[:, :, None]).flatten(1), ways.flatten(1), shares, bends, keeps, lead, cuts[:, 0]]
        return torch.cat([*parts, whole.log(), bends.sum(1, keepdim=True)], dim=1)

    def _cut(self, points: Tensor, lengths: Tensor) -> Tensor:
        """Return the path's places at equal times, float [B, cuts, 2]."""
        share = torch.linspace(0, 1, self._CUTS, device=points.device)
        places = share * (lengths - 1)[:, None]
        low = places.floor().long()
        high = torch.minimum(low + 1, (lengths - 1)[:, None])
        from_low, from_high = (points.gather(1, at[:, :, None].expand(-1, -1, 2)) for at in (low, high))
        return from_low + (places - low)[:, :, None] * (from_high - from_low)
