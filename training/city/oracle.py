"""What perfect recognition of colour, type and motion would be worth on a set of queries: the ceiling of such a ranker.

An oracle knows a track's labels. It reads a query as a user's engine does, so annotators' mistakes count, and it ranks
the tracks by how many of the read attributes they have, in random order where that is equal.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from nlvr.engine.cityflow import load_queries, load_truth, read_object
from nlvr.engine.errors import InputError
from nlvr.engine.language import COLOURS, MOTIONS, TYPES, read_query
from nlvr.engine.metrics import Metrics, better_and_tied, expected_metrics
from nlvr.engine.output import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nlvr.engine.cityflow import Query
    from nlvr.engine.language import Attributes

    from .world import Story

CITY_FILES = ("test-queries.json", "test-truth.json", "labels.json")  # of a city, that an oracle reads
ORACLES = {
    "chance": (),
    "colour": ("colour",),
    "type": ("kind",),
    "colour and type": ("colour", "kind"),
    "colour, type and motion": ("colour", "kind", "motion"),
}


@dataclass(frozen=True, slots=True)
class Labels:
    """What is true of a track: a colour of `COLOURS`, a kind of `TYPES`, a motion of `MOTIONS` or none of them."""

    colour: str
    kind: str
    motion: str | None

    def __post_init__(self) -> None:
        """Raise ValueError for a word that queries are not read into."""
        if self.colour not in COLOURS or self.kind not in TYPES or self.motion not in (None, *MOTIONS):
            message = f"no labels: {self.colour}, {self.kind}, {self.motion}"
            raise ValueError(message)

    @classmethod
    def of(cls, story: Story) -> Labels:
        """Return a story's labels; of its motions the one that a reader keeps: a turn, else a stop, else straight."""
        motion: str | None = story.manoeuvre
        if story.manoeuvre == "u-turn":
            motion = None
        elif story.manoeuvre == "parked" or (story.manoeuvre == "straight" and (story.stops or story.speed <= 0)):
            motion = "stop"
        return cls(story.colour, story.kind, motion)


def oracle(labels: Mapping[str, Labels], queries: Sequence[Query], truth: Mapping[str, str]) -> dict[str, Metrics]:
    """Return the metrics of each of `ORACLES` over the queries that `truth` maps to a track of `labels`.

    Raises ValueError when there is none.
    """
    asked = [query for query in queries if truth.get(query.id) in labels]
    tracks = list(labels)
    targets = np.array([tracks.index(truth[query.id]) for query in asked], np.int64)
    read = [read_query(query.nl, query.nl_other_views) for query in asked]
    hits = {name: _hits(name, list(labels.values()), read) for name in ("colour", "kind", "motion")}
    results = {}
    for oracle_name, attributes in ORACLES.items():
        scores = np.zeros((len(asked), len(tracks)), np.int64)
        for name in attributes:
            scores += hits[name]
        results[oracle_name] = expected_metrics(*better_and_tied(scores, targets))
    return results


def oracle_table(results: Mapping[str, Metrics]) -> str:
    """Return the metrics as a text table."""
    width = max(map(len, results))
    lines = [f"{'perfect':{width}}    MRR    R@1    R@5   R@10  median rank"]
    for name, of in results.items():
        shares = "  ".join(f"{value:.3f}" for value in (of.mrr, of.recall_1, of.recall_5, of.recall_10))
        lines.append(f"{name:{width}}  {shares}  {of.median_rank:11.1f}")
    return "\n".join(lines)


def write_labels(path: str | Path, labels: Mapping[str, Labels]) -> None:
    """Write track id → {colour, kind, motion}, whole or not at all. Raises OutputError."""
    records = {track: asdict(label) for track, label in sorted(labels.items())}
    write_whole(path, f"{json.dumps(records, indent=1)}\n".encode())


def load_labels(path: str | Path) -> dict[str, Labels]:
    """Read a file of `write_labels`. Raises InputError naming a record that holds no labels."""
    labels = {}
    for track, record in read_object(path).items():
        try:
            labels[track] = Labels(**record)
        except (TypeError, ValueError) as error:
            place = f"{path}: track {track}"
            raise InputError(place, "holds no labels", "build the city again") from error
    return labels


def _hits(name: str, labels: Sequence[Labels], queries: Sequence[Attributes]) -> np.ndarray:
    """Return bool [Q, N]: whether a track has what a query says, which nothing has where it says nothing."""
    own = np.array([getattr(label, name) or "" for label in labels])
    wanted = np.array([getattr(query, "type" if name == "kind" else name) or "nothing" for query in queries])
    return wanted[:, None] == own[None, :]


def read_oracle(city: Path) -> dict[str, Metrics]:
    """Return the metrics of each of `ORACLES` on the test set of a city on disk.

    Raises InputError for a folder that is no city, or files that do not go together.
    """
    queries_file, truth_file, labels_file = (city / name for name in CITY_FILES)
    queries = load_queries(queries_file)
    labels = load_labels(labels_file)
    truth = load_truth(truth_file, query_ids={query.id for query in queries}, track_ids=labels)
    tested = {track: labels[track] for track in sorted(set(truth.values()))}
    return oracle(tested, queries, truth)
