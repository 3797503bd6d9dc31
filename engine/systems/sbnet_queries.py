"""From queries to vectors and to what a mask needs of their sentences (P1, eqs. 3, 5, 9, 10, and 21 on this side)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from .. import kernels
from ..index import QueryVectors
from ..language import COLOURS, MOTIONS, TYPES, read, vote
from .sbnet_mask import TextFactors
from .sentences import check_finite, read_sentences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..cityflow import Query
    from ..notices import Notices
    from ..runtime.graph import Blocks, Row
    from ..tokenizer import Tokenizer
    from . import Progress


Match = Literal["probability", "log"]
ERRING = 0.01  # added to a probability before its logarithm: sentences err, so nothing is impossible


@dataclass(frozen=True, slots=True, eq=False)
class SBNetQueries(QueryVectors):
    """Encoded queries with what the mask needs of their sentences.

    texts: of U distinct sentences.  rows: int64 [S], the sentences of all queries one after the other, rows of `texts`.
    offsets: int64 [Q + 1], those of query q at offsets[q] to offsets[q + 1] − 1.
    """

    texts: TextFactors
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]

    def own(self, query: int) -> NDArray[np.int64]:
        """Return the sentences of one query, rows of `texts`, in the order in which it says them."""
        first, end = self.offsets[query : query + 2]
        return self.rows[first:end]

    def first_with(self, sentence: int) -> int:
        """Return the first query that says a sentence."""
        return int(np.searchsorted(self.offsets, np.argmax(self.rows == sentence), "right")) - 1


def said_of(query: Query, match: Match) -> dict[str, NDArray[np.float64]]:
    """Return what a query says of `colour`, `type` and `motion`: how much each value of `language` counts, float64 [K].

    For "probability" the value that most sentences name counts 1, for "log" each by the share of them that name it. All
    count 0 where no sentence names one. Colour and type hold in other views too, motion does not.
    """
    here = [read(sentence) for sentence in query.nl]
    everywhere = [*here, *(read(sentence) for sentence in query.nl_other_views)]
    attributes = (("colour", COLOURS, everywhere), ("type", TYPES, everywhere), ("motion", MOTIONS, here))
    counts = {}
    for name, values, readings in attributes:
        voted = [vote(readings)] if match == "probability" else readings
        named = [getattr(one, name) for one in voted]
        places = [values.index(value) for value in named if value is not None]
        counts[name] = np.bincount(places, minlength=len(values)) / max(1, len(places))
    return counts


class QueryEncoder:
    """Runs the graph `text` over queries, each distinct sentence once.

    embedding_id: of the bundle.  slices: layout of a vector, name → (start, stop).
    weight: λ of eq. 22, also of motion.
    match: how colour, type and motion are matched (`said_of`).
    nl_labels: where no sentence names a colour or type, the language module's guess stands in.
    """

    def __init__(
        self,
        text: Blocks,
        tokenizer: Tokenizer,
        *,
        embedding_id: str,
        slices: Mapping[str, tuple[int, int]],
        weight: float,
        match: Match,
        nl_labels: bool,
    ) -> None:
        self._text, self._tokenizer, self._embedding_id, self._slices = text, tokenizer, embedding_id, slices
        self._weight, self._match, self._nl_labels = weight, match, nl_labels

    def encode(self, queries: Sequence[Query], *, notices: Notices, progress: Progress) -> SBNetQueries:
        """Return each query's vector and what the mask needs of its sentences. Sentences cut short are counted.

        Raises ScoreError naming the query whose vector is not finite.
        """
        found = read_sentences(queries, self._tokenizer, self._text, notices=notices, progress=progress)
        said = found.said
        vectors, spoken = self._vectors(queries, said, found.rows, found.offsets)
        check_finite(queries, vectors)
        return SBNetQueries(
            query_ids=tuple(query.id for query in queries),
            vectors=vectors,
            sentences=dict(zip(found.texts, spoken, strict=True)),
            embedding_id=self._embedding_id,
            texts=TextFactors(said["affinity"], said["offset"], said["told"], said["told_gate"], found.tokens),
            rows=found.rows,
            offsets=found.offsets,
        )

    def _vectors(
        self, queries: Sequence[Query], said: Row, rows: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the queries' vectors, float32 [Q, D], and the sentences' own, float32 [U, D], without labels."""
        dims = max((stop for _, stop in self._slices.values()), default=0)
        vectors = np.zeros((len(queries), dims), np.float32)
        spoken = np.zeros((len(said["told"]), dims), np.float32)
        for name, output in (("image", "fig"), ("text", "fngt")):
            if name in self._slices:
                part = slice(*self._slices[name])
                spoken[:, part] = said[output]
                vectors[:, part] = kernels.segment_mean(said[output][rows], offsets)
        named = [said_of(query, self._match) for query in queries]
        for name in ("colour", "type", "motion"):
            if name in self._slices:
                counts = np.stack([of[name] for of in named])
                if self._nl_labels and name in said:  # the language module guesses where no sentence names any
                    guesses = kernels.segment_mean(said[name][rows], offsets).argmax(axis=1)
                    silent = np.flatnonzero(~counts.any(axis=1))
                    counts[silent, guesses[silent]] = 1
                vectors[:, slice(*self._slices[name])] = self._weight * counts
        return vectors, spoken
