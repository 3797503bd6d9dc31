"""Says in words what a bundle or a file holds."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Literal

import numpy as np

from .bundle import open_bundle
from .cityflow import load_queries, load_submission, load_tracks, load_truth, read_object
from .errors import InputError
from .index import TrackIndex
from .language import read_query
from .summary import count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .cityflow import Query, Track

START_BYTES = 4096


def describe(path: Path) -> Iterator[str]:
    """Yield what a bundle, or a file of tracks, queries, truth, rankings or vectors holds. Raises NlvrError."""
    if path.is_dir():
        return _describe_bundle(path)
    if path.suffix == ".npz":
        return _describe_arrays(path)
    _check_json(path)
    kind = file_kind(path)
    if kind == "tracks":
        return _describe_tracks(path, load_tracks(path))
    if kind == "rankings":
        return _describe_submission(path, load_submission(path))
    if kind == "truth":
        truth = load_truth(path, query_ids=read_object(path).keys())
        return iter([f"{path}: a truth, the track of each of {count(len(truth), 'query', 'queries')}"])
    return _describe_queries(path, load_queries(path))


def _check_json(path: Path) -> None:
    """Refuse a file that does not even begin like JSON: to correct one is no remedy for a picture or a video."""
    if not path.is_file():  # what is not there says so when it is read, and a pipe is read once
        return
    try:
        with path.open("rb") as file:
            start = file.read(START_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
    except OSError:  # it says so when it is read
        return
    if start and start[:1] not in b"{[":
        remedy = "inspect reads a bundle's folder, JSON files of tracks, queries, truth or rankings, and .npz files"
        raise InputError(path, "is no JSON file", remedy)


def file_kind(path: Path) -> Literal["tracks", "queries", "rankings", "truth"]:
    """Return what a JSON file holds, judged by its records. Raises InputError when it cannot be read."""
    records = list(read_object(path).values())
    if any(isinstance(record, str) for record in records):
        return "truth"
    if any(isinstance(record, dict) for record in records):
        return "tracks" if any("frames" in record for record in records if isinstance(record, dict)) else "queries"
    texts = [item for record in records if isinstance(record, list) for item in record if isinstance(item, str)]
    # Ids are single words; so is a description at times, but not every one of a file.
    return "rankings" if texts and not any(" " in text.strip() for text in texts) else "queries"


def _describe_tracks(path: Path, tracks: Sequence[Track]) -> Iterator[str]:
    lengths = np.array([len(track.frames) for track in tracks])
    cameras = {track.frames[0].rpartition("/")[0] for track in tracks}
    distinct = {frame for track in tracks for frame in track.frames}
    sides = np.median(np.concatenate([track.boxes[:, 2:] for track in tracks]), axis=0)
    yield f"{path}: {count(len(tracks), 'track')} from {count(len(cameras), 'folder')} of frames"
    yield f"frames a track: {lengths.min()} to {lengths.max()}, median {np.median(lengths):g}"
    yield f"frame references: {lengths.sum()}, of {len(distinct)} distinct frames"
    yield f"median box: {sides[0]:g} x {sides[1]:g} pixels"
    yield f"tracks with descriptions: {sum(bool(track.nl) for track in tracks)}"


def _describe_queries(path: Path, queries: Sequence[Query]) -> Iterator[str]:
    sentences = [sentence for query in queries for sentence in query.nl]
    words = np.array([len(sentence.split()) for sentence in sentences])
    yield (
        f"{path}: {count(len(queries), 'query', 'queries')}, {count(len(sentences), 'sentence')} "
        f"({len(set(sentences))} distinct)"
    )
    yield f"words a sentence: {words.min()} to {words.max()}, median {np.median(words):g}"
    yield f"queries with descriptions of other views: {sum(bool(query.nl_other_views) for query in queries)}"
    for name in ("colour", "type", "motion"):
        found = sum(getattr(read_query(query.nl, query.nl_other_views), name) is not None for query in queries)
        yield f"queries that name a {name}: {found}"


def _describe_arrays(path: Path) -> Iterator[str]:
    """Yield what a file of scores or of vectors holds."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            scores = arrays["scores"].shape if "scores" in arrays.files else None
            terms = [name.removeprefix("term.") for name in arrays.files if name.startswith("term.")]
    except Exception:  # numpy, zipfile and zlib raise a dozen types; what is no file of vectors says so itself
        scores = None
    if scores is not None:
        queries, tracks = count(scores[0], "query", "queries"), count(scores[1], "track")
        yield f"{path}: scores of {queries} over {tracks}, made of {', '.join(terms)}"
        return
    index = TrackIndex.load(path)
    yield f"{path}: vectors of {count(len(index), 'track')}, {index.vectors.shape[1]} float32 each"
    if index.shots is not None:
        boxes, views = count(len(index.shots.frames), "box", "boxes"), count(len(set(index.shots.views)), "view")
        yield f"shown by {boxes} in {views} of {len(set(index.shots.frames))} frames"
    yield f"embedding id: {index.embedding_id}"
    yield f"frames per track: {index.frames_per_track}"
    yield f"warnings when they were made: {len(index.warnings)}"


def _describe_submission(path: Path, rankings: Mapping[str, Sequence[str]]) -> Iterator[str]:
    ids = {track for ranking in rankings.values() for track in ranking}
    lengths = sorted({len(ranking) for ranking in rankings.values()})
    yield f"{path}: rankings for {count(len(rankings), 'query', 'queries')} over {count(len(ids), 'track')}"
    yield f"tracks a query: {lengths[0]} to {lengths[-1]}"


def _describe_bundle(path: Path) -> Iterator[str]:
    bundle = open_bundle(path)
    yield f"{path}: system {bundle.system}, {'trained' if bundle.trained else 'never trained'}"
    yield f"embedding id: {bundle.embedding_id}"
    yield f"vector: {bundle.dims} float32, " + ", ".join(f"{name} {a}:{b}" for name, (a, b) in bundle.vector.items())
    recipe = bundle.recipe
    drawn = f", trajectory over the whole {recipe.trajectory}, at most {recipe.max_points} points"
    seen = f", of a frame {recipe.around:g} lengths of each box" if recipe.around else ", the whole of a frame"
    yield (
        f"images: {recipe.size} x {recipe.size}, {recipe.resize} resize, frames per track {recipe.frames}"
        f"{drawn if bundle.system == 'contrastive' else seen}"
    )
    if bundle.scoring:
        yield "scoring: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in bundle.scoring.items())
    yield f"text: {bundle.text_length} tokens"
    for name, graph in bundle.graphs.items():
        size = graph.path.stat().st_size / 2**20
        yield f"graph {name}: {graph.path.name}, {graph.precision}, opset {graph.opset}, {size:.1f} MiB"
    parity = bundle.manifest.get("parity")
    if (
        isinstance(parity, dict)
        and isinstance(parity.get("batches"), dict)
        and {"tracks", "sentences"} <= parity.keys()
    ):
        batches = parity["batches"]
        figures = [record for record in batches.values() if isinstance(record, dict)]
        # A cosine or an overlap is as good as its least, a difference as bad as its greatest.
        worst = {
            name: (max if name == "difference" else min)(record[name] for record in figures)
            for name in (figures[0] if figures else ())
            if all(name in record for record in figures)
        }
        yield (
            f"parity with PyTorch on {parity['tracks']} tracks and {parity['sentences']} sentences, at batch "
            f"{', '.join(batches)}: at worst "
            + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in worst.items())
        )
