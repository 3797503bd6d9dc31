"""The sentences of queries, each distinct one read by the text graph once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ScoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from ..cityflow import Query
    from ..notices import Notices
    from ..runtime.graph import Blocks, Feeds, Row
    from ..tokenizer import Tokenizer
    from . import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Sentences:
    """What the text graph says of U distinct sentences, and which of them are each query's.

    texts: sorted.  said: its outputs by name, each [U, …].  tokens: int64 [U, l], 1 on real ones.
    rows: int64 [S], the sentences of all queries one after the other, rows of `texts`.
    offsets: int64 [Q + 1], those of query q at offsets[q] to offsets[q + 1] − 1.
    """

    texts: tuple[str, ...]
    said: Row
    tokens: NDArray[np.int64]
    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]


def read_sentences(
    queries: Sequence[Query], tokenizer: Tokenizer, text: Blocks, *, notices: Notices, progress: Progress
) -> Sentences:
    """Run the text graph over the queries' sentences. Those cut short are counted."""
    texts = tuple(sorted({sentence for query in queries for sentence in query.nl}))
    tokens = tokenizer(texts)
    for row in np.flatnonzero(tokens.cut):
        notices.add("text cut", repr(texts[row]))
    feeds: Iterator[Feeds] = ({"ids": ids, "mask": mask} for ids, mask in zip(tokens.ids, tokens.mask, strict=True))
    said: Row = {}
    for number, outputs in enumerate(text.run(feeds)):
        for name, value in outputs.items():
            if not number:
                said[name] = np.empty((len(texts), *value.shape), value.dtype)
            said[name][number] = value
        progress("encode queries", number + 1, len(texts))
    row_of = {sentence: row for row, sentence in enumerate(texts)}
    rows = np.array([row_of[sentence] for query in queries for sentence in query.nl], np.int64)
    offsets = np.cumsum([0] + [len(query.nl) for query in queries]).astype(np.int64)
    return Sentences(texts, said, tokens.mask, rows, offsets)


def check_finite(queries: Sequence[Query], vectors: NDArray[np.float32]) -> None:
    """Raise ScoreError naming the first query whose vector, float32 [Q, D], is not finite."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        place = f"query {queries[int(np.argmin(finite))].id}"
        raise ScoreError(place, "its vector is not a finite number", "check the bundle's precision")
