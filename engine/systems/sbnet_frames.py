"""From frames to what they show: feature maps, and what SBNet makes of each box in them (P1, eqs. 4, 6-8, 11)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from .. import kernels, preprocess
from ..frames import frame_order
from ..geometry import box_cells, window

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
    Key = tuple[str, Cells]  # what a vector depends on: a frame and the cells of a box in it

T = TypeVar("T")


class FrameEncoder:
    """Runs the graphs `image` and `track` over the frames that show some tracks, each frame and each box in it once.

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
        """Add what frames show in boxes to `vectors` and their features to `maps`; yield each shot's key.

        Frames that cannot be read are added to `unreadable`. The order of the work is that of the footage, and its
        content the frames and boxes, never files or ids.
        """
        by_frame: dict[str, list[Shot]] = {}
        for shot in shots:
            by_frame.setdefault(tracks[shot.row].frames[shot.position], []).append(shot)
        frames = sorted(by_frame, key=frame_order)
        keys: list[tuple[Shot, Key]] = []
        order: deque[tuple[Key, NDArray[np.float32] | None]] = deque()  # never a map: they are many

        def cells(reference: str, image: NDArray[np.uint8]) -> NDArray[np.int32]:
            boxes = np.stack([tracks[shot.row].boxes[shot.position] for shot in by_frame[reference]])
            return box_cells(boxes, image.shape[1], image.shape[0], self._sides[-1])

        def rows() -> Iterator[Feeds]:
            prepared = self._prepared(frames, store, cells, unreadable, progress)
            for done, (frame, row, boxes) in enumerate(self._image_rows(prepared), 1):
                progress("encode frames", done, len(frames))
                maps.put(frame, row["features"])
                own = [(frame, _cells(box)) for box in boxes]
                keys.extend(zip(by_frame[frame], own, strict=True))
                fresh = sorted({key for key in own if key not in vectors})
                order.extend((key, row.get("figt")) for key in fresh)
                if self._track is None:
                    vectors.update(dict.fromkeys(fresh, np.zeros(0, np.float32)))
                else:
                    yield from self._box_feeds(row["features"], [box for _, box in fresh])

        if self._track is None:
            deque(rows(), maxlen=0)  # there is nothing to run, and the frames are kept
        else:
            for seen in self._track.run(rows()):
                key, figt = order.popleft()
                parts = {"image": seen.get("figt", figt), "text": seen.get("fng"), **seen}
                vectors[key] = np.empty(self._dims, np.float32)
                for name, (start, stop) in self._slices.items():
                    vectors[key][start:stop] = parts[name]
        yield from keys

    def keep_maps(self, frames: Iterable[str], store: FrameStore, maps: FeatureMaps, *, progress: Progress) -> set[str]:
        """Add the feature maps of frames to `maps` and no more. Returns the frames that cannot be read."""
        ordered = sorted(set(frames), key=frame_order)
        unreadable: set[str] = set()
        prepared = self._prepared(ordered, store, lambda _reference, _image: None, unreadable, progress)
        for done, (frame, row, _) in enumerate(self._image_rows(prepared), 1):
            maps.put(frame, row["features"])
            progress("encode frames", done, len(ordered))
        return unreadable

    def _prepared(
        self,
        frames: Sequence[str],
        store: FrameStore,
        describe: Callable[[str, NDArray[np.uint8]], T],
        unreadable: set[str],
        progress: Progress,
    ) -> Iterator[tuple[str, NDArray[np.uint8], T]]:
        """Yield each readable frame with its resized image and what `describe` says of the image; note the others."""

        def prepare(reference: str, image: NDArray[np.uint8] | None) -> tuple[NDArray[np.uint8], T] | None:
            return None if image is None else (preprocess.resize(image, self._recipe), describe(reference, image))

        for done, (reference, prepared) in enumerate(store.map(frames, prepare), 1):
            progress("decode frames", done, len(frames))
            if prepared is None:
                unreadable.add(reference)
            else:
                yield reference, *prepared

    def _image_rows(self, prepared: Iterable[tuple[str, NDArray[np.uint8], T]]) -> Iterator[tuple[str, Row, T]]:
        """Run the graph `image`. Yield each frame, its outputs, and what came with it."""
        beside: deque[tuple[str, T]] = deque()

        def feeds() -> Iterator[Feeds]:
            for frame, image, value in prepared:
                beside.append((frame, value))
                yield {"images": image}

        for row in self._image.run(feeds()):
            frame, value = beside.popleft()
            yield frame, row, value

    def _box_feeds(self, features: NDArray[np.floating], boxes: Sequence[Cells]) -> Iterator[Feeds]:
        """Yield what the graph `track` takes of each box in one frame, pooled for all of them at once."""
        if not boxes:
            return
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
            }


def _cells(box: NDArray[np.int32]) -> Cells:
    x0, y0, x1, y1 = box.tolist()
    return x0, y0, x1, y1
