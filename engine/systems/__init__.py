"""The systems: each encodes tracks and queries to vectors whose inner product is its score, or all of it but one term.

A further system is one more file here and one more line in `SYSTEMS`; nothing else in the engine knows which one runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..errors import BundleError
from .contrastive import Contrastive
from .sbnet import SBNet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ..bundle import Bundle
    from ..cityflow import Query, Track
    from ..feature_maps import FeatureMaps
    from ..frames import FrameStore
    from ..index import Encoded, QueryVectors, Shots, TrackIndex
    from ..mask_view import MaskView
    from ..notices import Notices
    from ..rescoring import PartialTerm

    Progress = Callable[[str, int, int], None]


class SecondStage(Protocol):
    """A term in [0, 1] beside the inner product, made of masks over the frames that show a track."""

    def partial_term(self, index: TrackIndex, queries: QueryVectors) -> PartialTerm:
        """Return the term. Raises InputError for an index that does not hold what it needs."""

    def feature_maps(self, shots: Shots, store: FrameStore, *, progress: Progress) -> FeatureMaps:
        """Return the maps of the views of stored shots. Raises InputError for a frame that cannot be read."""

    def mask_views(
        self, index: TrackIndex, queries: QueryVectors, query: int, rows: NDArray[np.int64]
    ) -> Sequence[MaskView]:
        """Return what one query's mask makes of some rows of the index."""


class System(Protocol):
    """What the engine asks of a system."""

    @property
    def device(self) -> str:
        """The device its graphs were seen to run on."""

    @property
    def terms(self) -> Mapping[str, tuple[int, int]]:
        """The terms of the score that are inner products: name in a ranking's breakdown → (start, stop) in a vector."""

    @property
    def second_stage(self) -> SecondStage | None:
        """What adds the term that needs query and track together; None where the inner product is the whole score."""

    def encode_tracks(self, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress) -> Encoded:
        """Return one vector a track, and what else ranking it needs."""

    def encode_queries(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> QueryVectors:
        """Return one vector a query."""

    def close(self) -> None:
        """Stop the threads."""


SYSTEMS: dict[str, Callable[..., System]] = {"contrastive": Contrastive, "sbnet": SBNet}


def open_system(bundle: Bundle, *, device: str, threads: int, batch_size: int | None, feature_bytes: int) -> System:
    """Open the system a bundle is for. Raises BundleError for an unknown one, and what its runtime raises."""
    if bundle.system not in SYSTEMS:
        fact = f"is for system {bundle.system!r}, and this engine has {', '.join(SYSTEMS)}"
        raise BundleError(bundle.path, fact, "install an engine that has it")
    return SYSTEMS[bundle.system](
        bundle, device=device, threads=threads, batch_size=batch_size, feature_bytes=feature_bytes
    )
