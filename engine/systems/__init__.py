"""The systems: each encodes tracks and queries to vectors whose inner product is its score.

A further system is one more file here and one more line in `SYSTEMS`; nothing else in the engine knows which one runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import BundleError
from .contrastive import Contrastive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..bundle import Bundle
    from ..cityflow import Query, Track
    from ..frames import FrameStore
    from ..index import QueryVectors
    from ..notices import Notices

    Progress = Callable[[str, int, int], None]

SYSTEMS = {"contrastive": Contrastive}


class System(Protocol):
    """What the engine asks of a system."""

    @property
    def device(self) -> str:
        """The device its graphs were seen to run on."""

    @property
    def term(self) -> str:
        """The name of its inner product in a ranking's breakdown."""

    def encode_tracks(
        self, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress
    ) -> NDArray[np.float32]:
        """Return float32 [N, D], one vector a track."""

    def encode_queries(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> QueryVectors:
        """Return one vector a query."""

    def close(self) -> None:
        """Stop the threads."""


def open_system(bundle: Bundle, *, device: str, threads: int, batch_size: int | None) -> System:
    """Open the system a bundle is for. Raises BundleError for an unknown one, and what its runtime raises."""
    if bundle.system not in SYSTEMS:
        fact = f"is for system {bundle.system!r}, and this engine has {', '.join(SYSTEMS)}"
        raise BundleError(bundle.path, fact, "install an engine that has it")
    return SYSTEMS[bundle.system](bundle, device=device, threads=threads, batch_size=batch_size)
