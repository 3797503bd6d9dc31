"""One self-contained HTML page that shows a ranking to a person: pictures, readings, scores, masks, truth.

The page holds everything: its style, its pictures in data: URIs, and no script. Each picture is stored once, at the end
of the page, and every card that shows it refers to it: a track among the best of a hundred queries costs no more than
one among the best of a single query. A mask is a tiny picture that the page lays over its frame.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import geometry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .output import Staging

    Reading = tuple[str | None, str | None, str | None]

FRAME_WIDTH = 480
FRAME_HEIGHT = 360
CROP_SIDE = 160
JPEG_QUALITY = 80
MASK_LEVELS = 64  # colours of a mask
MASK_SCALE = 4  # pixels of a mask's picture to a cell, so that the page draws slopes and no steps
MASK_OPACITY = (0.10, 0.85)  # over the frame, of the values 0 and 1

# RGB. Both strokes lie on a dark casing, so that they show on a white car and on a black road alike.
PATH_COLOUR = (0, 230, 70)
BOX_COLOUR = (255, 176, 0)
CASING_COLOUR = (16, 16, 16)

_SUBPIXEL_BITS = 4


@dataclass(frozen=True, slots=True)
class Jpeg:
    """An encoded picture with its size in pixels."""

    data: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """The picture as a data: URI."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.data).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Picture:
    """How a track looks: its vehicle, the frame with box and path, and the reference of that frame.

    box: x, y, width and height of the vehicle in the picture of the frame, pixels.
    scale: pixels of that picture to one of the frame itself, across and down.
    """

    crop: Jpeg
    frame: Jpeg
    caption: str
    box: tuple[float, float, float, float]
    scale: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Mask:
    """What a query's mask shows of a track's picture.

    picture: a data: URI.  box: x, y, width and height of what it covers in the picture of the frame, pixels.
    """

    picture: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Result:
    """One ranked track. `terms` are (name, value) pairs in the order in which they are shown.

    mask: None where its system draws none.
    """

    track_id: str
    rank: int
    score: float
    terms: tuple[tuple[str, float], ...]
    truth: bool = False
    mask: Mask | None = None


@dataclass(frozen=True, slots=True)
class QuerySection:
    """A query with what was read from it and its best tracks.

    readings: (colour, type, motion) of each sentence, None where the subject has none.  vote: the same over all.
    results: the best first; a true track that is not among them comes last, with its own rank.
    truth_rank: None where no truth is given.
    """

    query_id: str
    sentences: tuple[str, ...]
    readings: tuple[Reading, ...]
    vote: Reading
    results: tuple[Result, ...]
    truth_rank: int | None = None

    @property
    def term_range(self) -> tuple[float, float]:
        """The least and the greatest term value of the section, 0 included: the scale of its bars."""
        values = [value for result in self.results for _, value in result.terms]
        return min([0.0, *values]), max([0.0, *values])


@dataclass(frozen=True, slots=True)
class Report:
    """Everything on the page.

    pictures: by track id; None (or no entry) shows "frame not readable".  mask_model: what the legend calls the model
    that draws the masks.  masks_flat: whether it was never trained, so that they are near a half everywhere.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str], ...]
    sections: tuple[QuerySection, ...]
    pictures: Mapping[str, Picture | None]
    notice: str | None = None
    mask_model: str = "the model"
    masks_flat: bool = False

    @property
    def has_masks(self) -> bool:
        """Whether any card shows a mask."""
        return any(result.mask is not None for section in self.sections for result in section.results)


def picture(image: NDArray[np.uint8], boxes: NDArray[np.float64], position: int, reference: str) -> Picture:
    """Cut out the vehicle, and draw its box and the whole track's path (the boxes' top-left corners) on the frame.

    image: uint8 [H, W, 3] RGB, left as it is.  boxes: float64 [T, 4], x, y, w, h in pixels.  position: the shown
    frame's row in boxes.  reference: names that frame.  Raises ValueError when its box is wholly outside.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = geometry.pixel_box(boxes[position], width, height)
    crop = _shrink(image[y0:y1, x0:x1], CROP_SIDE, CROP_SIDE)
    frame = _shrink(image, FRAME_WIDTH, FRAME_HEIGHT)
    scale = np.array([frame.shape[1] / width, frame.shape[0] / height])
    # Half a box outline stays inside the picture where the box reaches its edge.
    box = np.clip(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * scale, 1, np.array(frame.shape[1::-1]) - 2)
    sides = (box[2] - box[0]).tolist()
    path = boxes[:, :2] * scale
    _stroke(frame, path, PATH_COLOUR, closed=False)
    _dot(frame, path[-1], PATH_COLOUR)
    _stroke(frame, box, BOX_COLOUR, closed=True)
    return Picture(_jpeg(crop), _jpeg(frame), reference, (*box[0].tolist(), *sides), tuple(scale.tolist()))


def mask_picture(mask: NDArray[np.float32]) -> str:
    """Return a mask as a picture that lets a frame show through where it is low: a data: URI of a PNG.

    mask: float32 [h, w] in [0, 1]; the colours span that range whatever the mask's own is.
    """
    import cv2
    from PIL import Image

    height, width = mask.shape
    fine = cv2.resize(mask, (width * MASK_SCALE, height * MASK_SCALE), interpolation=cv2.INTER_LINEAR)
    levels = np.clip(np.round(fine * (MASK_LEVELS - 1)), 0, MASK_LEVELS - 1).astype(np.uint8)
    image = Image.fromarray(levels, "P")
    image.putpalette(_mask_colours(MASK_LEVELS).tobytes())
    alphas = np.linspace(*MASK_OPACITY, MASK_LEVELS) * 255
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True, transparency=alphas.round().astype(np.uint8).tobytes())
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode('ascii')}"


def _mask_colours(count: int) -> NDArray[np.uint8]:
    """Return the colours of masks from 0 to 1: uint8 [count, 3] RGB, of even steps to the eye."""
    import cv2

    values = np.linspace(0, 255, count).round().astype(np.uint8)
    return np.asarray(cv2.applyColorMap(values[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1], np.uint8)


def write_report(report: Report, directory: str | Path, *, staging: Staging) -> Path:
    """Stage `index.html` in `directory`, which is made where it is missing.

    Returns the path of the page.  Raises OutputError.
    """
    directory = Path(directory)
    staging.make_folder(directory)
    path = directory / "index.html"
    # A lone surrogate, which JSON can spell and UTF-8 cannot, is shown as a question mark.
    staging.add(path, _render(report).encode("utf-8", "replace"))
    return path


def _render(report: Report) -> str:
    """Return the page. Every value is escaped; pictures that no card shows are left out."""
    import jinja2

    templates = resources.files(__package__) / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (templates / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["pairs"] = partial(zip, strict=True)
    environment.filters["number"] = _number
    environment.filters["bar"] = _bar
    environment.globals["mask_scale"] = _mask_scale()
    shown = dict.fromkeys(result.track_id for section in report.sections for result in section.results)
    pictures = {track: found for track in shown if (found := report.pictures.get(track)) is not None}
    numbers = {track: number for number, track in enumerate(pictures, start=1)}
    return environment.get_template("report.html.j2").render(report=report, pictures=pictures, numbers=numbers)


def _number(value: float) -> str:
    """Write a score with four decimals and a true minus sign."""
    return f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _mask_scale() -> str:
    """Return CSS colours from 0 to 1 as masks show them, with their opacity."""
    colours = zip(_mask_colours(9).tolist(), np.linspace(*MASK_OPACITY, 9), strict=True)
    return ", ".join(f"rgb({red} {green} {blue} / {alpha:.2f})" for (red, green, blue), alpha in colours)


def _bar(value: float, scale: tuple[float, float]) -> str:
    """Return the CSS of a bar from 0 to `value` on the section's scale."""
    low, high = scale
    span = (high - low) or 1.0
    return f"left:{100 * (min(value, 0.0) - low) / span:.2f}%;width:{100 * abs(value) / span:.2f}%"


def _shrink(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a copy of the image, scaled down to fit width × height, never up."""
    import cv2

    factor = min(width / image.shape[1], height / image.shape[0])
    if factor >= 1:
        return image.copy()
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _stroke(image: NDArray[np.uint8], line: NDArray[np.float64], colour: tuple[int, int, int], *, closed: bool) -> None:
    """Draw a line of float64 [N, 2] pixels with its casing into the image."""
    import cv2

    corners = [(line * (1 << _SUBPIXEL_BITS)).round().astype(np.int32)[:, None]]
    for paint, thickness in ((CASING_COLOUR, 5), (colour, 3)):
        cv2.polylines(image, corners, closed, paint, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(image: NDArray[np.uint8], centre: NDArray[np.float64], colour: tuple[int, int, int]) -> None:
    """Draw a disc around float64 [2] pixels with its casing into the image."""
    import cv2

    x, y = (centre * (1 << _SUBPIXEL_BITS)).round().astype(int).tolist()
    for paint, radius in ((CASING_COLOUR, 7), (colour, 6)):
        cv2.circle(image, (x, y), radius << _SUBPIXEL_BITS, paint, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)


def _jpeg(image: NDArray[np.uint8]) -> Jpeg:
    """Encode uint8 [H, W, 3] RGB."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return Jpeg(data.tobytes(), image.shape[1], image.shape[0])
