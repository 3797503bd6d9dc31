"""ONNX Runtime on the CPU or on CUDA, verified after the session is made."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

from ..errors import BundleError, DeviceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..bundle import GraphFile, Signature
    from .graph import Feeds, Row

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
DTYPES = {
    "tensor(uint8)": "uint8",
    "tensor(int64)": "int64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}
# On CUDA no less than float32 where a graph says float32, and one convolution algorithm rather than today's quickest.
OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"}}
INSTALL = {
    "cpu": "pip install 'nlvr-engine[cpu]'",
    "cuda": "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'nlvr-engine[cuda]'",
}
# The smallest ONNX model, y = x on one float: a session on it shows whether a provider runs.
IDENTITY = (
    b'\x08\t:=\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x07nothingZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01'
    b"b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x14"
)


class OrtGraph:
    """One graph in one ONNX Runtime session. A session computes a block on one thread; blocks run side by side.

    Raises DeviceUnavailableError when the session does not run on `device`, BundleError when the graph is not readable.
    """

    def __init__(self, file: GraphFile, *, device: str) -> None:
        self._session = _session(str(file.path), device, precision=file.precision)
        _check_interface(self._session, file)
        self.device = device
        self.block = file.block[device]
        self._outputs = list(file.outputs)
        self._name = file.path.name

    def run(self, feeds: Feeds) -> Row:
        """Return the graph's outputs for one block of rows.

        Raises DeviceUnavailableError when the runtime fails, as it does when a GPU's memory is full.
        """
        try:
            results = self._session.run(self._outputs, feeds)
        except Exception as error:  # the library raises its own types, none of them public
            fact = f"{self._name} failed to run ({_first_line(error)})"
            raise DeviceUnavailableError(
                self.device, fact, "lower --threads and --batch-size or use --device cpu"
            ) from error
        return dict(zip(self._outputs, results, strict=True))


def probe(device: str) -> None:
    """Make a session on a device. Raises DeviceUnavailableError saying why none runs there."""
    _session(IDENTITY, device)


def _check_interface(session: Any, file: GraphFile) -> None:  # noqa: ANN401
    """Refuse a graph that does not take and return what the manifest says. Raises BundleError."""
    taken, returned = _signatures(session.get_inputs()), _signatures(session.get_outputs())
    if taken != file.inputs or returned != file.outputs:
        wanted = f"{dict(file.inputs)} and {dict(file.outputs)}"
        fact = f"takes {taken} and returns {returned}, and the manifest says {wanted}"
        raise BundleError(file.path, fact, "export the bundle again with `nlvr-engine export`")


def _signatures(values: Iterable[Any]) -> dict[str, Signature]:
    return {value.name: (DTYPES.get(value.type, value.type), tuple(value.shape)) for value in values}


def _session(model: str | bytes, device: str, *, precision: str = "fp32") -> Any:  # noqa: ANN401
    """Return a session that was seen to run on `device`."""
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise DeviceUnavailableError(device, "ONNX Runtime is not installed", INSTALL[device]) from error
    provider = PROVIDERS[device]
    present = ort.get_available_providers()
    if provider not in present:
        fact = f"this ONNX Runtime has only {', '.join(present)}"
        raise DeviceUnavailableError(device, fact, INSTALL[device])
    why = _preload(ort) if device == "cuda" else ""
    ort.set_default_logger_severity(4)  # what goes wrong is said once, by the error
    options = ort.SessionOptions()
    # Threads of one run would split its sums differently for every count: one thread a run, several runs at once.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    if device == "cpu" and precision == "fp16":
        # Past the basic level ONNX Runtime 1.31 dies while it opens a half-precision ViT on the CPU.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    if precision == "int8":
        # Weights are then restored once, when the graph is opened. By default ONNX Runtime keeps them as they are, and
        # restores them in every run or multiplies with rounded activations.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    try:
        session = ort.InferenceSession(model, options, providers=[(provider, OPTIONS[device])])
    except Exception as error:  # the library raises its own types, none of them public
        line = _first_line(error)
        if device == "cpu":
            raise BundleError(model, f"cannot be opened ({line})", "export the bundle again") from error
        raise DeviceUnavailableError(device, f"the session failed ({line})", "use --device cpu") from error
    running = session.get_providers()
    if provider not in running:
        fact = f"the session runs on {', '.join(running)}{f' ({why})' if why else ''}"
        raise DeviceUnavailableError(device, fact, "install the CUDA libraries it lacks or use --device cpu")
    return session


def _preload(ort: Any) -> str:  # noqa: ANN401
    """Load CUDA's libraries from their packages. Returns what the runtime says of those that failed, "" if none did."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        ort.preload_dlls()
    return said.getvalue().partition("\n")[0]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
