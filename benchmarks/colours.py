"""Do the city's colours carry over to real footage?

    python -m nlvr.benchmarks.colours CITY

trains a small network on crops of a city's training tracks for a minute, and prints how often it names the colour of
crops of the test tracks, and what it reads in the four real cars of the sample clip.
"""

from __future__ import annotations

import itertools
import sys
import time
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import torch
import typer

from nlvr.engine import NlvrError
from nlvr.engine.cityflow import load_queries, load_tracks, load_truth
from nlvr.engine.frames import FrameStore, frame_order
from nlvr.engine.geometry import pixel_box, spread
from nlvr.engine.language import COLOURS, read_query
from nlvr.engine.runtime.devices import usable_cpus
from nlvr.training.augment import Photo
from nlvr.training.city.oracle import load_labels

from .machine import machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nlvr.engine import Track
    from nlvr.training.city.oracle import Labels

SIDE, SHOWN = 64, 56  # pixels of a crop, and of the part of it that is looked at
VIEWS = 6  # crops of a track
SECONDS = 60.0
BATCH, RATE = 128, 3e-3
STRENGTH = 0.2  # of the changes of light and sharpness


def main(
    city: Annotated[Path, typer.Argument(help="Folder that `nlvr-engine city` wrote.")],
    seed: Annotated[int, typer.Option(help="Of the network and of what it is shown.")] = 0,
) -> None:
    """Print how well colours learned on a city are read in its test set and in the sample clip."""
    typer.echo(machine())
    labels = load_labels(city / "labels.json")
    crops, colours = crops_of(load_tracks(city / "train-tracks.json"), city), numbered(labels)
    network = train(crops, colours, seed=seed)
    tested = crops_of(load_tracks(city / "test-tracks.json"), city)
    right = np.mean([read(network, views) == colours[track] for track, views in tested.items()])
    typer.echo(f"{len(crops)} tracks learned from for {SECONDS:.0f} s; of {len(tested)} test tracks {right:.0%} right")
    with as_file(files("nlvr.engine") / "sample") as sample:
        tracks = load_tracks(sample / "carpark" / "tracks.json")
        queries = load_queries(sample / "carpark" / "queries.json")
        ids = {"query_ids": {query.id for query in queries}, "track_ids": {track.id for track in tracks}}
        truth = load_truth(sample / "carpark" / "truth.json", **ids)
        cars = crops_of(tracks, sample)
    for query in queries:
        name = COLOURS[read(network, cars[truth[query.id]])]
        typer.echo(f"{name:8} {read_query(query.nl).colour:8} {query.nl[0]}")


def numbered(labels: Mapping[str, Labels]) -> dict[str, int]:
    """Return the place of each track's colour in `COLOURS`."""
    return {track: COLOURS.index(label.colour) for track, label in labels.items()}


def crops_of(tracks: Sequence[Track], root: Path) -> dict[str, np.ndarray]:
    """Return crops of each track, uint8 [V, SIDE, SIDE, 3] RGB."""
    shown: dict[str, list[tuple[str, np.ndarray]]] = {}
    for track in tracks:
        for place in spread(len(track.frames), VIEWS):
            shown.setdefault(track.frames[place], []).append((track.id, track.boxes[place]))

    def cut(reference: str, frame: np.ndarray | None) -> list[tuple[str, np.ndarray]]:
        return [] if frame is None else [(track, crop(frame, box)) for track, box in shown[reference]]

    views: dict[str, list[np.ndarray]] = {}
    with FrameStore(root, decode_threads=usable_cpus()) as store:
        for _, found in store.map(sorted(shown, key=frame_order), cut):
            for track, view in found:
                views.setdefault(track, []).append(view)
    return {track: np.stack(own) for track, own in views.items()}


def crop(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return what a box shows, uint8 [SIDE, SIDE, 3]. frame: uint8 [H, W, 3] RGB. box: x, y, w, h in pixels."""
    x0, y0, x1, y1 = pixel_box(box, frame.shape[1], frame.shape[0])
    return np.asarray(cv2.resize(frame[y0:y1, x0:x1], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def train(crops: Mapping[str, np.ndarray], colours: Mapping[str, int], *, seed: int) -> torch.nn.Module:
    """Return a network that has learned the colours of crops for `SECONDS`."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    shown = [(view, colours[track]) for track, views in crops.items() for view in views]
    network = small_network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.05)
    started, spent = time.perf_counter(), 0.0
    while spent < SECONDS:
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - spent / SECONDS)
        chosen = [shown[place] for place in generator.integers(len(shown), size=BATCH)]
        images = tensor(np.stack([changed(view, generator) for view, _ in chosen]))
        loss = torch.nn.functional.cross_entropy(
            network(images), torch.tensor([colour for _, colour in chosen]), label_smoothing=0.1
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        spent = time.perf_counter() - started
    return network.eval()


def small_network() -> torch.nn.Module:
    """Return the network: float32 [B, 3, SHOWN, SHOWN] → logits of `COLOURS` [B, 12]."""
    widths = (3, 32, 64, 96, 128)
    layers: list[torch.nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [torch.nn.Conv2d(before, after, 3, 2, 1, bias=False), torch.nn.BatchNorm2d(after), torch.nn.GELU()]
    pooled = [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Dropout(0.2)]
    return torch.nn.Sequential(*layers, *pooled, torch.nn.Linear(widths[-1], len(COLOURS)))


def changed(view: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return a part of a crop in another light, perhaps mirrored: uint8 [SHOWN, SHOWN, 3]."""
    x, y = generator.integers(SIDE - SHOWN + 1, size=2)
    part = view[y : y + SHOWN, x : x + SHOWN]
    return Photo.draw(STRENGTH, SHOWN, generator).apply(part[:, ::-1] if generator.random() < 0.5 else part)


def tensor(images: np.ndarray) -> torch.Tensor:
    """Return uint8 [B, S, S, 3] as float32 [B, 3, S, S] about zero."""
    return torch.from_numpy(images.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2).contiguous()


@torch.inference_mode()
def read(network: torch.nn.Module, views: np.ndarray) -> int:
    """Return the place in `COLOURS` of what the views of a track say together."""
    edge = (SIDE - SHOWN) // 2
    logits = network(tensor(views[:, edge : edge + SHOWN, edge : edge + SHOWN]))
    return int(torch.log_softmax(logits, 1).mean(0).argmax())


if __name__ == "__main__":
    try:
        typer.run(main)
    except NlvrError as error:
        sys.exit(str(error))
