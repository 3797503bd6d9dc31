"""The batch job behind `nlvr-engine rank`: files in; a submission, scores, vectors, metrics and a report out."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .cityflow import Query, load_queries, load_tracks, load_truth, query_from_text, write_submission
from .engine import Engine
from .errors import InputError, OutputError, StrictError
from .frames import FrameStore
from .index import TrackIndex
from .metrics import Metrics, chance_mrr, expected_metrics, ranking_metrics, target_ranks
from .notices import Notices
from .output import check_writable, write_whole
from .ranking import Ranking, score_matrix
from .report import write_report
from .report_content import build_report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .cityflow import Track
    from .systems import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RankJob:
    """What `nlvr-engine rank` was asked to do. Paths that are None are not written or read.

    queries or texts: a queries file, or descriptions given one by one.  cache_bytes: decoded frames kept for reuse.
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
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """metrics: of the lists as written.  ties: their expected values with ties broken at random, where there are ties.

    chance_mrr: the MRR expected of a random order.
    """

    metrics: Metrics
    chance_mrr: float
    ties: Metrics | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """What a job did. seconds: stage → wall time. written: what → path."""

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
    written: Mapping[str, Path] = field(default_factory=dict)


def run(job: RankJob, *, progress: Progress) -> RankResult:
    """Do a job. Every result is written whole, and only after all of the ranking is done.

    Raises what reading, encoding and writing raise, all NlvrErrors, and StrictError where `strict` meets warnings.
    """
    tracks, queries, truth = _load(job)
    for path in (job.output, job.scores, job.vectors):
        if path is not None:
            check_writable(path)
    if job.report is not None and job.report.exists() and not job.report.is_dir():
        raise OutputError(job.report, "is no folder", "name a folder for the report")
    notices, clock = Notices(), _Clock()
    with Engine(job.model, device=job.device, threads=job.threads, batch_size=job.batch_size) as engine:
        clock.lap("open")
        decode_threads = job.decode_threads or engine.threads
        with FrameStore(
            job.frames, decode_threads=decode_threads, cache_bytes=job.cache_bytes, notices=notices
        ) as store:
            rule = engine.frames_per_track(job.frames_per_track)
            index, stored = _encode(job, engine, tracks, store, rule=rule, progress=progress)
            clock.lap("encode tracks")
            rankings = engine.rank(index, queries, top_k=job.top_k, notices=notices, progress=progress)
            clock.lap("rank")
            if job.strict and notices.counts:
                raise StrictError(notices.lines())
            written = _write(job, index, rankings, stored=stored)
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
            if job.report is not None:
                report = build_report(
                    tracks,
                    index,
                    queries,
                    rankings,
                    store,
                    facts=facts,
                    sentence_vectors=_sentence_vectors(engine, queries),
                    truth=truth,
                    quality=quality,
                )
                written["report"] = write_report(report, job.report)
                clock.lap("report")
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
                written=written,
            )


def _load(job: RankJob) -> tuple[list[Track], list[Query], dict[str, str] | None]:
    option = "--query"
    if bool(job.texts) == (job.queries is not None):
        fact = "both --queries and --query were given" if job.texts else "neither --queries nor --query was given"
        raise InputError(option, fact, "give a queries file, or descriptions one by one")
    tracks = load_tracks(job.tracks)
    if job.queries is not None:
        queries = load_queries(job.queries)
    else:
        queries = [query_from_text(text) for text in dict.fromkeys(job.texts)]
    if job.truth is None:
        return tracks, queries, None
    ids = {query.id for query in queries}
    return tracks, queries, load_truth(job.truth, query_ids=ids, track_ids={track.id for track in tracks})


def _encode(
    job: RankJob, engine: Engine, tracks: Sequence[Track], store: FrameStore, *, rule: str, progress: Progress
) -> tuple[TrackIndex, bool]:
    """Return the gallery's index, and whether it was read from the vectors file."""
    if job.vectors is not None and job.vectors.exists():
        index = TrackIndex.load(job.vectors)
        index.check_fits(job.vectors, tracks, embedding_id=engine.bundle.embedding_id, frames_per_track=rule)
        return index, True
    return engine.encode_tracks(tracks, store, frames_per_track=rule, progress=progress), False


def _write(job: RankJob, index: TrackIndex, rankings: Sequence[Ranking], *, stored: bool) -> dict[str, Path]:
    written = {}
    if job.vectors is not None and not stored:
        index.save(job.vectors)
        written["vectors"] = job.vectors
    if job.scores is not None:
        _save_scores(job.scores, index, rankings)
        written["scores"] = job.scores
    if job.output is not None:
        write_submission(job.output, {ranking.query_id: ranking.track_ids for ranking in rankings})
        written["output"] = job.output
    return written


def _save_scores(path: Path, index: TrackIndex, rankings: Sequence[Ranking]) -> None:
    """Write query_ids [Q], track_ids [N], scores float32 [Q, N] and each term as `term.<name>` float32 [Q, N]."""
    terms = {
        f"term.{name}": score_matrix([(ranking.rows, ranking.terms[name]) for ranking in rankings], len(index))
        for name in rankings[0].terms
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        query_ids=np.array([ranking.query_id for ranking in rankings], np.str_),
        track_ids=np.array(index.track_ids, np.str_),
        scores=score_matrix([(ranking.rows, ranking.scores) for ranking in rankings], len(index)),
        **cast("Any", terms),
    )
    write_whole(path, buffer.getvalue())


def _sentence_vectors(engine: Engine, queries: Sequence[Query]) -> dict[str, NDArray[np.float32]]:
    """Return each sentence's own vector, float32 [D]; a query's is their mean, so its score is the mean of theirs."""
    sentences = sorted({sentence for query in queries for sentence in query.nl})
    vectors = engine.encode_queries([Query(id=sentence, nl=(sentence,)) for sentence in sentences])
    return dict(zip(sentences, vectors, strict=True))


def _quality(rankings: Sequence[Ranking], truth: Mapping[str, str], tracks: int) -> Quality:
    lists = {ranking.query_id: ranking.track_ids for ranking in rankings}
    better, tied = [], []
    for ranking in rankings:
        target = truth[ranking.query_id]
        if target in ranking.track_ids:
            score = ranking.scores[ranking.track_ids.index(target)]
            better.append(int((ranking.scores > score).sum()))
            tied.append(int((ranking.scores == score).sum()))
    complete = len(better) == len(rankings)
    return Quality(
        metrics=ranking_metrics(target_ranks(lists, truth)),
        chance_mrr=chance_mrr(tracks),
        ties=expected_metrics(better, tied) if complete and max(tied) > 1 else None,
    )


class _Clock:
    """Wall time of each stage."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage], self._last = now - self._last, now
