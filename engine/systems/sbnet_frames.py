"""From frames to what they show: feature maps, and what SBNet makes of each box in them (P1, eqs. 4, 6-8, 11).

A view is what the image module sees of a frame: the whole of it for all of its boxes, or what is around each box.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .. import kernels, preprocess
from ..errors import InputError
from ..feature_maps import View, view_order
from ..frames import frame_order
from ..geometry import clip_boxes, part_cells, surroundings, window
from ..sampling import outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..cityflow import Track
    from ..feature_maps import FeatureMaps
    from ..frames import FrameStore
    from ..preprocess import Recipe
    from ..runtime.graph import Blocks, Feeds, Row
    from ..sampling import Shot
    from . import Progress

    Cells = tuple[int, int, int, int]  # x0, y0, x1, y1, half-open
    Part = tuple[int, int, int, int]  # of a frame, pixels, as a view has it
    Key = tuple[View, Cells]  # what a vector depends on: a view and the cells of a box in it

T = TypeVar("T")


class FrameEncoder:
    """Runs the graphs `image` and `track` over the views that show some tracks, each view and each box in it once.

    track: None where nothing of a box but its mask is scored.  slices: layout of a vector, name → (start, stop).
    sides: lengths of windows without their halo, ascending; the last is that of a whole feature map.
    halo: cells around a box that the graph `track` needs.
    """

    def __init__(
        self,
        image: Blocks,
        track: Blocks | None,
        *,
        recipe: Recipe,
        slices: Mapping[str, tuple[int, int]],
        sides: Sequence[int],
        halo: int,
    ) -> None:
        self._image, self._track, self._recipe = image, track, recipe
        self._slices, self._sides, self._halo = slices, sides, halo
        self._dims = max((stop for _, stop in slices.values()), default=0)

    def encode(
        self,
        tracks: Sequence[Track],
        shots: Iterable[Shot],
        store: FrameStore,
        *,
        vectors: dict[Key, NDArray[np.float32]],
        maps: FeatureMaps,
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[Shot, Key]]:
        """Add what views show in boxes to `vectors` and their features to `maps`; yield each shot's key.

        Frames that cannot be read are added to `unreadable`. The order of the work is that of the footage, and its
        content the views and boxes, never files or ids.
        """
        by_frame: dict[str, list[Shot]] = {}
        for shot in shots:
            by_frame.setdefault(tracks[shot.row].frames[shot.position], []).append(shot)
        frames = sorted(by_frame, key=frame_order)
        keys: list[tuple[Shot, Key]] = []
        order: deque[tuple[Key, NDArray[np.float32] | None]] = deque()  # never a map: they are many

        def boxes_in(reference: str, width: int, height: int) -> list[tuple[Part, list[tuple[Shot, Cells]]]]:
            parts: dict[Part, list[tuple[Shot, Cells]]] = {}
            for shot in by_frame[reference]:
                track = tracks[shot.row]
                box = track.boxes[shot.position]
                if not clip_boxes(box[None], width, height)[0, 2:].all():  # a frame may be smaller than the others
                    raise outside(track, shot.position, width, height)
                part = surroundings(box, width, height, self._recipe.around)
                (cells,) = part_cells(box[None], part, self._sides[-1])
                parts.setdefault(part, []).append((shot, _cells(cells)))
            return sorted(parts.items())

        def rows() -> Iterator[Feeds]:
            prepared = self._prepared(frames, store, boxes_in, unreadable, progress)
            for shown, row, own in self._image_rows(prepared, len(frames), progress):
                maps.put(shown, row["features"])
                keys.extend((shot, (shown, cells)) for shot, cells in own)
                fresh = sorted({(shown, cells) for _, cells in own if (shown, cells) not in vectors})
                order.extend((key, row.get("figt")) for key in fresh)
                if self._track is None:
                    vectors.update(dict.fromkeys(fresh, np.zeros(0, np.float32)))
                else:
                    yield from self._box_feeds(row, [cells for _, cells in fresh])

        if self._track is None:
            deque(rows(), maxlen=0)  # there is nothing to run, and the views are kept
        else:
            for seen in self._track.run(rows()):
                key, figt = order.popleft()
                parts = {"image": seen.get("figt", figt), "text": seen.get("fng"), **seen}
                vectors[key] = np.empty(self._dims, np.float32)
                for name, (start, stop) in self._slices.items():
                    vectors[key][start:stop] = parts[name]
        yield from keys

    def keep_maps(self, views: Iterable[View], store: FrameStore, maps: FeatureMaps, *, progress: Progress) -> set[str]:
        """Add the feature maps of views to `maps` and no more. Returns the frames that cannot be read.

        Raises InputError for a frame of another size than the views are of.
        """
        by_frame: dict[str, list[View]] = {}
        for shown in sorted(set(views), key=view_order):
            by_frame.setdefault(shown.frame, []).append(shown)
        unreadable: set[str] = set()

        def known(reference: str, width: int, height: int) -> list[tuple[Part, None]]:
            for shown in by_frame[reference]:
                if shown.size != (width, height):
                    fact = f"is {width}x{height}, and vectors were made of it as {shown.size[0]}x{shown.size[1]}"
                    raise InputError(store.root / reference, fact, "restore it, or encode the tracks again")
            return [(shown.part, None) for shown in by_frame[reference]]

        prepared = self._prepared(list(by_frame), store, known, unreadable, progress)
        for shown, row, _ in self._image_rows(prepared, len(by_frame), progress):
            maps.put(shown, row["features"])
        return unreadable

    def _prepared(
        self,
        frames: Sequence[str],
        store: FrameStore,
        parts: Callable[[str, int, int], list[tuple[Part, T]]],
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[View, NDArray[np.uint8], T]]:
        """Yield each view of the readable frames, its resized image and what goes with it; note the other frames.

        parts: of a frame, its width and its height, the parts to be seen and what goes with each.
        """

        def prepare(reference: str, image: NDArray[np.uint8] | None) -> list[tuple[View, NDArray[np.uint8], T]] | None:
            if image is None:
                return None
            height, width = image.shape[:2]
            return [
                (View(reference, (width, height), part), preprocess.resize(image[y0:y1, x0:x1], self._recipe), value)
                for part, value in parts(reference, width, height)
                for x0, y0, x1, y1 in [part]
            ]

        for done, (reference, prepared) in enumerate(store.map(frames, prepare), 1):
            progress("decode frames", done, len(frames))
            if prepared is None:
                unreadable.add(reference)
            else:
                yield from prepared

    def _image_rows(
        self, prepared: Iterable[tuple[View, NDArray[np.uint8], T]], frames: int, progress: Progress
    ) -> Iterator[tuple[View, Row, T]]:
        """Run the graph `image`. Yield each view, its outputs, and what came with it, those of a frame together."""
        beside: deque[tuple[View, T]] = deque()

        def feeds() -> Iterator[Feeds]:
            for shown, image, value in prepared:
                beside.append((shown, value))
                yield {"images": image}

        done, last = 0, None
        for row in self._image.run(feeds()):
            shown, value = beside.popleft()
            if last not in (None, shown.frame):
                done += 1
                progress("encode frames", done, frames)
            last = shown.frame
            yield shown, row, value
        if last is not None:
            progress("encode frames", done + 1, frames)

    def _box_feeds(self, row: Row, boxes: Sequence[Cells]) -> Iterator[Feeds]:
        """Yield what the graph `track` takes of each box in one view, pooled for all of them at once.

        row: what the graph `image` returned of the view.
        """
        if not boxes:
            return
        features = row["features"]
        grid = {"grid": row["grid"]} if "grid" in row else {}
        places = np.array([(0, *box) for box in boxes], np.int32)
        pooled = kernels.masked_pool(features[None], places)
        for box, own in zip(places[:, 1:], pooled, strict=True):
            rows, columns = window(box, self._sides, self._halo)
            yield {
                "pooled": own,
                "features": features,
                "box": box.astype(np.int64),
                "rows": rows,
                "columns": columns,
                **grid,
            }


def _cells(box: NDArray[np.int32]) -> Cells:
    x0, y0, x1, y1 = box.tolist()
    return x0, y0, x1, y1
