"""Gathers what a report shows from a finished ranking: readings, pictures, scores sentence by sentence, the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import FrameError
from .frames import frame_order
from .language import read, read_query
from .metrics import MISSING_RANK
from .report import Mask, Picture, QuerySection, Report, Result, mask_picture, picture
from .sampling import ShotPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .batch import ModelFacts, Quality
    from .cityflow import Query, Track
    from .frames import FrameStore
    from .index import QueryVectors, TrackIndex
    from .mask_view import MaskView
    from .ranking import Ranking

SHOWN = 5


def build_report(
    tracks: Sequence[Track],
    index: TrackIndex,
    queries: Sequence[Query],
    encoded: QueryVectors,
    rankings: Sequence[Ranking],
    *,
    store: FrameStore,
    models: Sequence[ModelFacts],
    facts: Mapping[str, object],
    truth: Mapping[str, str] | None,
    quality: Quality | None,
    masks: Callable[[int, NDArray[np.int64]], Sequence[MaskView]] | None,
    mask_model: ModelFacts,
) -> Report:
    """Return the report of a ranking: each query's five best tracks, and its true track where that is lower.

    encoded: the queries' vectors; where the score has one term, an inner product, a card shows what each sentence adds.
    models, facts: what made the ranking, and what else the page says of it.
    masks: what the mask of a query, given by its number, makes of tracks, by their rows in the index; None for none.
    mask_model: whose they are.  Of several models, index, encoded and masks are those of one.
    """
    positions: dict[str, int] = {}
    sections, views = [], []
    for number, (query, ranking) in enumerate(zip(queries, rankings, strict=True)):
        target = None if truth is None else truth[query.id]
        section, places = _section(query, ranking, index, encoded, target)
        sections.append(section)
        if masks is not None:
            views.append(masks(number, ranking.rows[places]))
            positions |= {
                result.track_id: view.position for result, view in zip(section.results, views[-1], strict=True)
            }
    wanted = {result.track_id for section in sections for result in section.results}
    shown = {track.id: track for track in tracks if track.id in wanted}
    pictures = _pictures(list(shown.values()), store, index.frames_per_track, positions)
    if masks is not None:
        sections = [_with_masks(*pair, shown, pictures) for pair in zip(sections, views, strict=True)]
    return Report(
        title="Vehicles ranked by description",
        facts=(
            *_model_lines(models),
            *((name, str(value)) for name, value in facts.items()),
            ("tracks", str(len(tracks))),
            ("queries", str(len(queries))),
            *((kind, str(count)) for kind, count in store.notices.counts.items()),
        ),
        metrics=() if quality is None else metric_lines(quality),
        sections=tuple(sections),
        pictures=pictures,
        notice=untrained_line(models),
        mask_model="the model" if len(models) == 1 else mask_model.name,
        masks_flat=not mask_model.trained,
    )


def untrained_line(models: Sequence[ModelFacts]) -> str | None:
    """Say which of a ranking's models were never trained, and what that means; None where all were."""
    untrained = [model.name for model in models if not model.trained]
    if not untrained:
        return None
    if len(models) == 1:
        return "This model was never trained: some or all of its weights are random, and its order means nothing."
    fact = f"Never trained: {_and(untrained)}. Some or all of their weights are random"
    return f"{fact}, and {'the order' if len(untrained) == len(models) else 'their share of the order'} means nothing."


def score_line(models: Sequence[ModelFacts]) -> str:
    """Say what the score of several models is."""
    return (
        f"mean of the scores of {_and([model.name for model in models])}, each standardised per query over all tracks"
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _model_lines(models: Sequence[ModelFacts]) -> Iterator[tuple[str, str]]:
    """Yield (name, value) pairs of the models for a reader; what is the same for all of them is said once."""
    for name in ("model", "system", "embedding_id", "device", "frames_per_track"):
        values = [str(getattr(model, name)) for model in models]
        yield name.replace("_", " "), values[0] if len(set(values)) == 1 else ", ".join(values)
    if len(models) > 1:
        yield "score", score_line(models)


def metric_lines(quality: Quality) -> tuple[tuple[str, str], ...]:
    """Return the metrics as (name, value) pairs for a reader."""
    metrics = quality.metrics
    lines = [
        ("MRR", f"{metrics.mrr:.4f}"),
        ("MRR by chance", f"{quality.chance_mrr:.4f}"),
        ("R@1", f"{metrics.recall_1:.4f}"),
        ("R@5", f"{metrics.recall_5:.4f}"),
        ("R@10", f"{metrics.recall_10:.4f}"),
        ("median rank", f"{metrics.median_rank:g}"),
    ]
    if quality.unlisted:
        lines.append((f"true tracks not listed (count as rank {MISSING_RANK})", str(quality.unlisted)))
    if quality.ties is not None:
        lines.append(("MRR, ties broken at random", f"{quality.ties.mrr:.4f}"))
    return tuple(lines)


def _section(
    query: Query,
    ranking: Ranking,
    index: TrackIndex,
    encoded: QueryVectors,
    target: str | None,
) -> tuple[QuerySection, list[int]]:
    """Return what is shown of a query, and the places in its ranking of the tracks that are."""
    vote = read_query(query.nl, query.nl_other_views)
    rank = None if target is None or target not in ranking.track_ids else ranking.track_ids.index(target) + 1
    places = list(range(min(SHOWN, len(ranking.track_ids))))
    if rank is not None and rank > SHOWN:
        places.append(rank - 1)
    if index.vectors.shape[1] and len(ranking.terms) == 1:
        sentences = np.stack([encoded.sentences[sentence] for sentence in query.nl])
        parts = index.vectors[ranking.rows[places]] @ sentences.T
    else:  # several terms say more, and other views or a mask have their part in some of them; a score may have none
        parts = np.zeros((len(places), 0), np.float32)
    section = QuerySection(
        query_id=query.id,
        sentences=query.nl,
        readings=tuple((found.colour, found.type, found.motion) for found in map(read, query.nl)),
        vote=(vote.colour, vote.type, vote.motion),
        results=tuple(_result(ranking, place, part, target) for place, part in zip(places, parts, strict=True)),
        truth_rank=rank,
    )
    return section, places


def _with_masks(
    section: QuerySection,
    views: Sequence[MaskView],
    tracks: Mapping[str, Track],
    pictures: Mapping[str, Picture | None],
) -> QuerySection:
    """Return the section with the masks of those tracks whose picture is of the mask's own frame."""
    results = []
    for result, view in zip(section.results, views, strict=True):
        found = pictures[result.track_id]
        if found is not None and found.caption == tracks[result.track_id].frames[view.position]:
            results.append(replace(result, mask=_mask(view, found)))
        else:
            results.append(result)
    return replace(section, results=tuple(results))


def _mask(view: MaskView, shown: Picture) -> Mask:
    across, down = shown.scale
    x0, y0, x1, y1 = view.part
    return Mask(mask_picture(view.mask), (x0 * across, y0 * down, (x1 - x0) * across, (y1 - y0) * down))


def _result(ranking: Ranking, place: int, parts: NDArray[np.float32], target: str | None) -> Result:
    terms = [(name, float(values[place])) for name, values in ranking.terms.items()]
    if len(parts) > 1:
        terms += [(f"sentence {number}", float(part)) for number, part in enumerate(parts, 1)]
    return Result(
        track_id=ranking.track_ids[place],
        rank=place + 1,
        score=float(ranking.scores[place]),
        terms=tuple(terms),
        truth=ranking.track_ids[place] == target,
    )


def _pictures(
    tracks: Sequence[Track], store: FrameStore, rule: str, positions: Mapping[str, int]
) -> dict[str, Picture | None]:
    """Return each track's picture, None where none of its frames can be read.

    Of several frames that show a track, the one with the largest box; of those that are unreadable, none.
    positions: track id → the frame that its masks are of, which is then the one that is shown if it can be read.
    """
    pictures: dict[str, Picture | None] = {track.id: None for track in tracks}
    waiting = {track.id: (track, plan) for track in tracks if (plan := _plan(track, store, rule))}
    unreadable: set[str] = set()
    while waiting:
        shown: dict[str, list[tuple[Track, int]]] = {}
        for track, plan in waiting.values():
            position = positions.get(track.id)
            if position is None or track.frames[position] in unreadable:
                position = max((shot.position for shot in plan.shots), key=lambda at: track.boxes[at, 2:].prod())
            shown.setdefault(track.frames[position], []).append((track, position))

        def draw(
            reference: str, image: NDArray[np.uint8] | None, shown: Mapping[str, list[tuple[Track, int]]] = shown
        ) -> list[tuple[str, Picture]]:
            if image is None:
                return []
            return [(track.id, picture(image, track.boxes, at, reference)) for track, at in shown[reference]]

        for reference, drawn in store.map(sorted(shown, key=frame_order), draw):
            pictures.update(drawn)
            if not drawn:
                unreadable.add(reference)
            for track, _ in shown[reference]:
                if drawn or not _drop(waiting[track.id][1], reference):
                    del waiting[track.id]
    return pictures


def _plan(track: Track, store: FrameStore, rule: str) -> ShotPlan | None:
    """Return which frames show a track, None where there is none: with stored vectors a ranking needs no frames."""
    try:
        return ShotPlan([track], store, rule)
    except FrameError:
        return None


def _drop(plan: ShotPlan, reference: str) -> bool:
    """Take an unreadable frame out of a plan. Returns whether any is left."""
    try:
        plan.drop([reference])
    except FrameError:
        return False
    return True
