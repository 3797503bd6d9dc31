"""The batch job behind `nlvr-engine rank`: files in; a submission, scores, vectors, metrics and a report out."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .cityflow import load_queries, load_tracks, load_truth, query_from_text, submission_bytes
from .engine import FEATURE_BYTES, Engine
from .errors import InputError, OutputError, StrictError
from .frames import FrameStore
from .index import TrackIndex
from .metrics import Metrics, chance_mrr, expected_metrics, ranking_metrics, target_ranks
from .notices import Notices
from .output import Staging, check_folder, check_writable
from .ranking import Ranking, score_matrix
from .report import write_report
from .report_content import build_report
from .rescoring import Pruning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .cityflow import Query, Track
    from .report import Report
    from .systems import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RankJob:
    """What `nlvr-engine rank` was asked to do. Paths that are None are not written or read.

    queries or texts: a queries file, or descriptions given one by one.  cache_bytes: decoded frames kept for reuse.
    feature_bytes: feature maps held in memory.
    strict: counted warnings become an error before anything is written.
    """

    tracks: Path
    frames: Path
    model: Path
    queries: Path | None = None
    texts: tuple[str, ...] = ()
    output: Path | None = None
    truth: Path | None = None
    report: Path | None = None
    scores: Path | None = None
    vectors: Path | None = None
    top_k: int | None = None
    frames_per_track: str | None = None
    device: str = "auto"
    batch_size: int | None = None
    threads: int | None = None
    decode_threads: int | None = None
    cache_bytes: int = 256 * 2**20
    feature_bytes: int = FEATURE_BYTES
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """metrics: of the lists as written.  chance_mrr: the MRR expected of lists in random order.

    unlisted: targets that a cut list leaves out, which count as rank 101.
    ties: the expected metrics with ties broken at random, where complete lists have ties at their targets.
    """

    metrics: Metrics
    chance_mrr: float
    unlisted: int
    ties: Metrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """What a job did. seconds: stage → wall time. written: what → path. pruning: over all queries, where any was."""

    engine: Mapping[str, Any]
    queries: Sequence[Query]
    rankings: Sequence[Ranking]
    truth: Mapping[str, str] | None
    quality: Quality | None
    tracks: int
    frames_decoded: int
    warnings: Mapping[str, int]
    warning_lines: Sequence[str]
    seconds: Mapping[str, float]
    pruning: Pruning | None
    written: Mapping[str, Path]


def run(job: RankJob, *, progress: Progress) -> RankResult:
    """Do a job. After all of the work is done, every result is written whole, or none is.

    Raises what reading, encoding and writing raise, all NlvrErrors, and StrictError where `strict` meets warnings.
    """
    _check_paths(job)
    tracks, queries, truth = _load(job)
    notices, clock = Notices(), _Clock()
    with Engine(
        job.model,
        device=job.device,
        threads=job.threads,
        batch_size=job.batch_size,
        feature_bytes=job.feature_bytes,
    ) as engine:
        clock.lap("open")
        decode_threads = job.decode_threads or engine.threads
        with FrameStore(
            job.frames, decode_threads=decode_threads, cache_bytes=job.cache_bytes, notices=notices
        ) as store:
            rule = engine.frames_per_track(job.frames_per_track)
            index, stored = _encode(job, engine, tracks, store, rule=rule, progress=progress)
            clock.lap("encode tracks")
            encoded = engine.encode_queries(queries, notices=notices, progress=progress)
            # A matrix of scores is complete, so it needs every track ranked.
            listed = None if job.scores else job.top_k
            rankings = engine.rank(index, encoded, top_k=listed, progress=progress)
            complete, rankings = rankings, [ranking.head(job.top_k or len(tracks)) for ranking in rankings]
            clock.lap("rank")
            pruned = [ranking.pruning for ranking in rankings if ranking.pruning is not None]
            quality = None if truth is None else _quality(rankings, truth, len(tracks))
            facts = {
                "model": str(job.model),
                "system": engine.bundle.system,
                "trained": engine.bundle.trained,
                "embedding_id": engine.bundle.embedding_id,
                "device": engine.device,
                "threads": engine.threads,
                "frames_per_track": rule,
                "vectors": "read from file" if stored else "encoded",
            }
            report = None
            if job.report is not None:
                report = build_report(
                    tracks,
                    index,
                    queries,
                    encoded,
                    rankings,
                    store=store,
                    facts=facts,
                    truth=truth,
                    quality=quality,
                    masks=partial(engine.mask_views, index, encoded) if engine.has_masks else None,
                )
                clock.lap("report")
        if job.strict and notices.counts:
            raise StrictError(notices.lines())
        return RankResult(
            engine=facts,
            queries=queries,
            rankings=rankings,
            truth=truth,
            quality=quality,
            tracks=len(tracks),
            frames_decoded=store.decoded,
            warnings=notices.counts,
            warning_lines=notices.lines(),
            seconds=clock.laps,
            pruning=sum(pruned, Pruning()) if pruned else None,
            written=_write(job, None if stored else index, complete, rankings, report),
        )


def _check_paths(job: RankJob) -> None:
    """Refuse results that cannot be written, or would take the place of an input or of each other."""
    results = [path for path in (job.output, job.scores, job.vectors) if path is not None]
    for path in results:
        check_writable(path)
    if job.report is not None:
        check_folder(job.report)
        results.append(job.report / "index.html")
    taken = {path.resolve() for path in (job.tracks, job.queries, job.truth) if path is not None}
    for path in results:
        if path.resolve() in taken:
            raise OutputError(path, "is named for something else too", "give every file its own place")
        if path.is_file() or not path.exists():  # a pipe or a device may take several results
            taken.add(path.resolve())


def _load(job: RankJob) -> tuple[list[Track], list[Query], dict[str, str] | None]:
    option = "--query"
    if bool(job.texts) == (job.queries is not None):
        fact = "both --queries and --query were given" if job.texts else "neither --queries nor --query was given"
        raise InputError(option, fact, "give a queries file, or descriptions one by one")
    tracks = load_tracks(job.tracks)
    if job.queries is not None:
        queries = load_queries(job.queries)
    else:
        queries = [query_from_text(text, place=option) for text in dict.fromkeys(job.texts)]
    if job.truth is None:
        return tracks, queries, None
    ids = {query.id for query in queries}
    return tracks, queries, load_truth(job.truth, query_ids=ids, track_ids={track.id for track in tracks})


def _encode(
    job: RankJob, engine: Engine, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress
) -> tuple[TrackIndex, bool]:
    """Return the gallery's index, and whether it was read from the vectors file."""
    if job.vectors is None or not job.vectors.exists():
        return engine.encode_tracks(tracks, store, frames_per_track=rule, progress=progress), False
    index = TrackIndex.load(job.vectors)
    index.check_fits(job.vectors, tracks, embedding_id=engine.bundle.embedding_id, frames_per_track=rule)
    for kind, place in index.warnings:
        store.notices.add(kind, place)
    return engine.with_frames(index, store, progress=progress), True


def _write(
    job: RankJob,
    index: TrackIndex | None,
    complete: Sequence[Ranking],
    rankings: Sequence[Ranking],
    report: Report | None,
) -> dict[str, Path]:
    """Write what was asked for, all of it or none. Returns what → path."""
    written = {}
    with Staging() as staging:
        if job.vectors is not None and index is not None:
            staging.add(job.vectors, index.to_bytes())
            written["vectors"] = job.vectors
        if job.scores is not None:
            staging.add(job.scores, _scores_bytes(complete))
            written["scores"] = job.scores
        if job.report is not None and report is not None:
            written["report"] = write_report(report, job.report, staging=staging)
        if job.output is not None:
            staging.add(job.output, submission_bytes({one.query_id: one.track_ids for one in rankings}))
            written["output"] = job.output
        staging.commit()
    return written


def _scores_bytes(rankings: Sequence[Ranking]) -> bytes:
    """Return an `.npz`: query_ids [Q], track_ids [N], scores float32 [Q, N], each `term.<name>` float32 [Q, N]."""
    track_ids = sorted(rankings[0].track_ids)
    terms = {
        f"term.{name}": score_matrix([(ranking.rows, ranking.terms[name]) for ranking in rankings], len(track_ids))
        for name in rankings[0].terms
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        query_ids=np.array([ranking.query_id for ranking in rankings], np.str_),
        track_ids=np.array(track_ids, np.str_),
        scores=score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], len(track_ids)),
        **cast("Any", terms),
    )
    return buffer.getvalue()


def _quality(rankings: Sequence[Ranking], truth: Mapping[str, str], tracks: int) -> Quality:
    lists = {ranking.query_id: ranking.track_ids for ranking in rankings}
    listed = len(rankings[0].track_ids)
    ties = None
    if listed == tracks:
        targets = [ranking.scores[ranking.track_ids.index(truth[ranking.query_id])] for ranking in rankings]
        better = [int((ranking.scores > score).sum()) for ranking, score in zip(rankings, targets, strict=True)]
        tied = [int((ranking.scores == score).sum()) for ranking, score in zip(rankings, targets, strict=True)]
        ties = expected_metrics(better, tied) if max(tied) > 1 else None
    return Quality(
        metrics=ranking_metrics(target_ranks(lists, truth)),
        chance_mrr=chance_mrr(tracks, listed=listed),
        unlisted=sum(target not in lists[query] for query, target in truth.items()),
        ties=ties,
    )


class _Clock:
    """Wall time of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self._last = now - self._last, now
