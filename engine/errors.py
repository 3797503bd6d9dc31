"""Every error a user can cause: one sentence of fact and remedy, a stable code, an exit status, an HTTP status.

The command line prints `str(error)` on one line and exits with `exit_status`; a server answers with `http_status` and
`code`. Anything that is not an `NlvrError` is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class NlvrError(Exception):
    """Base of the tree: where it went wrong (file, track, field), what is the matter, what to do about it."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 2
    http_status: ClassVar[int] = 500

    def __init__(self, where: object, fact: str, remedy: str) -> None:
        super().__init__(f"{where}: {fact}; {remedy}")


class InputError(NlvrError):
    """A tracks, queries, truth or submission file, or a value in it, is at fault."""

    code, http_status = "bad_input", 400


class FrameError(InputError):
    """A frame reference is unsafe, or a track has no readable frame left."""

    code, http_status = "bad_frame", 422


class BundleError(NlvrError):
    """A bundle is missing, damaged, of an unknown schema, or cannot do what is asked of it."""

    code, http_status = "bad_bundle", 503


class VectorsMismatchError(NlvrError):
    """Stored vectors were made by another bundle, by another rule for frames, or from other tracks."""

    code, http_status = "vectors_mismatch", 409


class ScoreError(NlvrError):
    """A vector or a score is not a number; the message names the track or query."""

    code, http_status = "not_a_number", 500


class OutputError(NlvrError):
    """A result cannot be written where it was asked for."""

    code, http_status = "unwritable", 507


class DeviceUnavailableError(NlvrError):
    """The device that was asked for is not the one a session would run on."""

    code, http_status = "device_unavailable", 503

    def __init__(self, wanted: str, fact: str, remedy: str) -> None:
        super().__init__(f"--device {wanted}", fact, f"{remedy} (`nlvr-engine doctor` shows what works here)")


class KernelsUnavailableError(NlvrError):
    """The instruction set that NLVR_ISA names is unknown or not on this CPU."""

    code, http_status = "kernels_unavailable", 503


class StrictError(NlvrError):
    """`--strict` turned counted warnings into an error."""

    code, http_status = "strict", 422

    def __init__(self, warnings: Sequence[str]) -> None:
        super().__init__("--strict", "; ".join(warnings), "mend the input or drop --strict")


def unwritable(path: str | Path, error: OSError) -> OutputError:
    """Return the error for an output that the operating system refuses."""
    missing = isinstance(error, FileNotFoundError)
    remedy = "create its folder, or choose another place" if missing else "choose another place"
    return OutputError(path, f"cannot be written ({error.strerror or error})", remedy)
