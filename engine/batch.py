"""The batch job behind `nlvr-engine rank`: files in; a submission, scores, vectors, metrics and a report out."""

from __future__ import annotations

import io
import itertools
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .bundle import open_bundle
from .cityflow import load_queries, load_tracks, load_truth, query_from_text, submission_bytes
from .engine import FEATURE_BYTES, Engine
from .errors import InputError, OutputError, StrictError
from .frames import FrameStore
from .fusion import fuse
from .index import TrackIndex
from .metrics import Metrics, better_and_tied, chance_mrr, expected_metrics, ranking_metrics, target_ranks
from .notices import Notices
from .output import Staging, check_folder, check_writable
from .ranking import Ranking, score_matrix
from .report import write_report
from .report_content import build_report
from .rescoring import Pruning

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .cityflow import Query, Track
    from .report import Report
    from .systems import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class RankJob:
    """What `nlvr-engine rank` was asked to do. Paths that are None are not written or read.

    models: bundles; the rankings of several are fused.
    queries or texts: a queries file, or descriptions given one by one.  cache_bytes: decoded frames kept for reuse.
    feature_bytes: feature maps of one model held in memory.
    strict: counted warnings become an error before anything is written.
    """

    tracks: Path
    frames: Path
    models: tuple[Path, ...]
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
class ModelFacts:
    """One of a job's models. name: what its share of a fused score is called. model: its bundle's folder, as given."""

    name: str
    model: str
    system: str
    trained: bool
    embedding_id: str
    device: str
    frames_per_track: str

    @classmethod
    def of(cls, name: str, engine: Engine, index: TrackIndex) -> ModelFacts:
        """Return what there is to say of an engine and the index that it made."""
        return cls(
            name=name,
            model=str(engine.bundle.path),
            system=engine.bundle.system,
            trained=engine.bundle.trained,
            embedding_id=engine.bundle.embedding_id,
            device=engine.device,
            frames_per_track=index.frames_per_track,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """What a job did.

    threads: graph runs at once.  vectors: whether those of the tracks were encoded or read from a file.
    seconds: stage → wall time.  written: what → path.  pruning: over all queries, where any was.
    """

    models: Sequence[ModelFacts]
    threads: int
    vectors: str
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


def run(job: RankJob, *, progress: Progress, note: Callable[[str], None]) -> RankResult:
    """Do a job. After all of the work is done, every result is written whole, or none is.

    note: called with what there is to know before the work begins.
    Raises what reading, encoding and writing raise, all NlvrErrors, and StrictError where `strict` meets warnings.
    """
    _check_paths(job)
    tracks, queries, truth = _load(job)
    notices, clock = Notices(), _Clock()
    stored = job.vectors is not None and job.vectors.exists()
    with ExitStack() as stack:
        engines = _open(job, stack)
        first, *others = engines
        # A matrix of scores is complete, and so is what is fused: both need every track ranked.
        whole = "--scores holds every track" if job.scores else "several models are fused" if others else None
        if whole and job.top_k is not None and any(engine.has_masks for engine in engines.values()):
            remedy = "with one model and without --scores, --top-k skips those that cannot change its list"
            note(f"{whole}, so every mask is computed; {remedy}")
        clock.lap("open")
        threads = engines[first].threads
        store = stack.enter_context(
            FrameStore(
                job.frames, decode_threads=job.decode_threads or threads, cache_bytes=job.cache_bytes, notices=notices
            )
        )
        stages = {name: _stages_of(name, progress) if others else progress for name in engines}
        indexes = {
            name: _encode(job, engine, tracks, store, stored=stored, progress=stages[name])
            for name, engine in engines.items()
        }
        clock.lap("encode tracks")
        encoded = {
            name: engine.encode_queries(queries, notices=notices, progress=stages[name])
            for name, engine in engines.items()
        }
        ranked = {
            name: engine.rank(indexes[name], encoded[name], top_k=None if whole else job.top_k, progress=stages[name])
            for name, engine in engines.items()
        }
        complete = fuse(ranked) if others else ranked[first]
        rankings = [ranking.head(job.top_k or len(tracks)) for ranking in complete]
        clock.lap("rank")
        pruned = [ranking.pruning for ranking in rankings if ranking.pruning is not None]
        quality = None if truth is None else _quality(rankings, truth, len(tracks))
        models = [ModelFacts.of(name, engine, indexes[name]) for name, engine in engines.items()]
        vectors = "read from file" if stored else "encoded"
        report = None
        if job.report is not None:
            shown = next((name for name, engine in engines.items() if engine.has_masks), first)
            masks = partial(engines[shown].mask_views, indexes[shown], encoded[shown])
            report = build_report(
                tracks,
                indexes[shown],
                queries,
                encoded[shown],
                rankings,
                store=store,
                models=models,
                facts={"threads": threads, "vectors": vectors},
                truth=truth,
                quality=quality,
                masks=masks if engines[shown].has_masks else None,
                mask_model=next(model for model in models if model.name == shown),
            )
            clock.lap("report")
        if job.strict and notices.counts:
            raise StrictError(notices.lines())
        return RankResult(
            models=models,
            threads=threads,
            vectors=vectors,
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
            written=_write(job, None if stored else indexes[first], complete, rankings, report),
        )


def _open(job: RankJob, stack: ExitStack) -> dict[str, Engine]:
    """Open every model, named by its folder, or by its whole path where two folders have one name.

    Raises InputError for a bundle given twice, or for stored vectors beside several models.
    """
    if job.vectors is not None and len(job.models) > 1:
        option, fact = "--vectors", f"holds the vectors of one model, and {len(job.models)} are given"
        raise InputError(option, fact, "leave it out, or rank with one --model")
    option = "--model"
    bundles = [open_bundle(path) for path in job.models]
    for one, other in itertools.combinations(bundles, 2):
        if one.embedding_id == other.embedding_id:
            raise InputError(option, f"{one.path} and {other.path} are one bundle", "give each model once")
    folders = [bundle.path.resolve().name for bundle in bundles]
    names = [
        folder if folders.count(folder) == 1 else str(bundle.path)
        for folder, bundle in zip(folders, bundles, strict=True)
    ]
    return {
        name: stack.enter_context(
            Engine(
                bundle,
                device=job.device,
                threads=job.threads,
                batch_size=job.batch_size,
                feature_bytes=job.feature_bytes,
            )
        )
        for name, bundle in zip(names, bundles, strict=True)
    }


def _stages_of(name: str, progress: Progress) -> Progress:
    """Return a progress whose stages say which of several models is at work."""
    return lambda stage, done, total: progress(f"{stage}, {name}", done, total)


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
    if job.texts and job.truth is not None:
        place = "--truth"
        raise InputError(place, "goes with --queries", "a truth names queries by their ids, which --query has not")
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
    job: RankJob, engine: Engine, tracks: Sequence[Track], store: FrameStore, *, stored: bool, progress: Progress
) -> TrackIndex:
    """Return the gallery's index, read from the vectors file where it is stored there."""
    if job.vectors is None or not stored:
        return engine.encode_tracks(tracks, store, frames_per_track=job.frames_per_track, progress=progress)
    index = TrackIndex.load(job.vectors)
    rule = engine.frames_per_track(job.frames_per_track)
    index.check_fits(job.vectors, tracks, embedding_id=engine.bundle.embedding_id, frames_per_track=rule)
    for kind, place in index.warnings:
        store.notices.add(kind, place)
    return engine.with_frames(index, store, progress=progress)


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
    """Return an `.npz`: query_ids [Q], track_ids [N], scores [Q, N], each `term.<name>` [Q, N].

    Scores and terms are float32, of fused models float64.
    """
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
        better, tied = np.concatenate(
            [better_and_tied(one.scores[None], [one.track_ids.index(truth[one.query_id])]) for one in rankings], axis=1
        )
        ties = expected_metrics(better, tied) if tied.max() > 1 else None
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
