"""What the papers' tables compare, and the figures that they print.

P1 is "SBNet: Segmentation-based Network for Natural Language-based Vehicle Search", P2 "Contrastive Learning for
Natural Language-Based Vehicle Retrieval". The first row of each of P2's tables is the same system.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """MRR, and recall at 5 and at 10 where the paper prints them, each in [0, 1]."""

    mrr: float
    recall_5: float | None = None
    recall_10: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One variant of a system.

    paper: what the paper measured.  settings: those that make the variant, as "section.key=value".
    preset: whose backbones and recipe it takes in place of the configuration's.
    trains_backbones: whether it differs from its table's other rows only where the backbones are trained too.
    """

    name: str
    paper: Figures
    settings: tuple[str, ...] = ()
    preset: str = ""
    trains_backbones: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Variants that are compared with each other."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Ablation:
    """The tables of one system.

    on_features: settings of short runs on what frozen backbones saw.
    seen_by: settings of the task that has the backbones look, for all the rows.
    common: settings of all the rows, which the user's own replace.
    """

    tables: tuple[Table, ...]
    on_features: tuple[str, ...]
    seen_by: tuple[str, ...] = ()
    common: tuple[str, ...] = ()


_FAST = ("schedule.copies=2", "schedule.learning_rate=1e-3")
_WHOLE = (  # as P2 trains
    "schedule.frozen=[]",
    "schedule.copies=0",
    "schedule.learning_rate=1e-5",
    "schedule.batch=16",
    "negatives.count=5",
)
_FULL = Figures(0.1778, 0.2604, 0.4349)


def _modules(*, classification: bool, substitution: bool, future: bool) -> tuple[str, ...]:
    switches = {"classification": classification, "substitution": substitution, "future": future}
    return tuple(f"modules.{name}={str(on).lower()}" for name, on in switches.items())


def _negatives(*, texts: bool, vehicles: bool) -> tuple[str, ...]:
    return f"negatives.hard_texts={str(texts).lower()}", f"negatives.hard_vehicles={str(vehicles).lower()}"


_SBNET = Ablation(
    tables=(
        Table(
            "Modules, each with its loss and its term of the score (P1, Table 1)",
            (
                Row("none", Figures(0.0977), _modules(classification=False, substitution=False, future=False)),
                Row(
                    "+ classification", Figures(0.1025), _modules(classification=True, substitution=False, future=False)
                ),
                Row("+ substitution", Figures(0.1124), _modules(classification=True, substitution=True, future=False)),
                Row("+ future", Figures(0.1195), _modules(classification=True, substitution=True, future=True)),
            ),
        ),
    ),
    on_features=('schedule.frozen=["image", "language"]', *_FAST),
    seen_by=("modules.future=true",),
    # P1 has none of these, and matches as eq. 21 does.
    common=("model.mixing=0", "model.grid=0", "schedule.beside=0", "modules.motion=false", "score.match=probability"),
)

_CONTRASTIVE = Ablation(
    tables=(
        Table(
            "Backbone (P2, Table 1)",
            (
                Row("clip", _FULL, _WHOLE, preset="clip", trains_backbones=True),
                Row("baseline", Figures(0.0910, 0.1081, 0.2039), _WHOLE, preset="baseline", trains_backbones=True),
            ),
        ),
        Table(
            "Hard negatives (P2, Table 2)",
            (
                Row("none", _FULL, _negatives(texts=False, vehicles=False)),
                Row("text", Figures(0.0947, 0.1229, 0.2285), _negatives(texts=True, vehicles=False)),
                Row("vehicle", Figures(0.1306, 0.1990, 0.3243), _negatives(texts=False, vehicles=True)),
                Row("both", Figures(0.1464, 0.2088, 0.3735), _negatives(texts=True, vehicles=True)),
            ),
        ),
        Table(
            "Loss (P2, Table 3)",
            (
                Row("InfoNCE", _FULL, ("loss.kind=infonce",)),
                Row("triplet", Figures(0.1138, 0.1499, 0.2801), ("loss.kind=triplet",)),
            ),
        ),
        Table(
            "Image tower of background and crop (P2, Table 4)",
            (
                Row("shared", _FULL, ("model.shared=true", *_WHOLE), trains_backbones=True),
                Row(
                    "unshared",
                    Figures(0.1303, 0.1916, 0.3194),
                    ("model.shared=false", *_WHOLE),
                    trains_backbones=True,
                ),
            ),
        ),
        Table(
            "Direction of the loss (P2, Table 5)",
            (
                Row("both", _FULL, ("loss.direction=both",)),
                Row("text to vehicle", Figures(0.1412, 0.2064, 0.3538), ("loss.direction=text_to_vehicle",)),
                Row("vehicle to text", Figures(0.1596, 0.2310, 0.3956), ("loss.direction=vehicle_to_text",)),
            ),
        ),
    ),
    on_features=('schedule.frozen=["image", "text"]', *_FAST),
    # P2 draws its negatives, and has no heads, whose share of the score no row could change, and no grid.
    common=("negatives.within_batch=false", "model.attributes=false", "model.course=false", "model.grid=false"),
)

ABLATIONS = {"contrastive": _CONTRASTIVE, "sbnet": _SBNET}
"""By the system's name."""
