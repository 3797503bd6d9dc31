"""Published networks of torchvision and transformers, with their published weights or random ones.

`weights` is a local copy that stands in for the library's own download: a folder with the files.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..torchvision_schemas import declare_missing_operators
from .weights import BERT_NAME, ELECTRA_NAME, MINILM, PackagedWeights, loading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn
    from transformers import PreTrainedModel


def resnet(name: str, *, pretrained: bool, weights: str = "", beside: str = BERT_NAME) -> nn.Module:
    """Return torchvision's network, e.g. "ResNet50", with ImageNet's weights or random ones.

    beside: the language model whose files lie in the same local folder.
    Raises InputError when the weights cannot be had.
    """
    declare_missing_operators()
    from torchvision import models

    network = models.get_model(name.lower())
    if pretrained:
        published = models.get_model_weights(name)["IMAGENET1K_V1"]
        file = published.url.rsplit("/", 1)[-1]
        with loading(file, f"a folder with {file} and the files of {beside}"):
            if weights:
                states = torch.load(Path(weights) / file, map_location="cpu", weights_only=True)
            else:
                states = published.get_state_dict(progress=False, check_hash=True)
            network.load_state_dict(states)
    return network


def bert(*, pretrained: bool, weights: str = "") -> nn.Module:
    """Return BERT base, uncased, without its pooler. Raises InputError when the weights cannot be had."""
    declare_missing_operators()
    from transformers import BertConfig, BertModel

    shape = BertConfig()  # its defaults are BERT base, uncased
    if not pretrained:
        return BertModel(shape, add_pooling_layer=False)
    local = "a folder with the files of that model and torchvision's resnet files"
    return _transformer(BertModel, BERT_NAME, weights, local, config=shape, add_pooling_layer=False)


def electra(*, pretrained: bool, weights: str = "") -> nn.Module:
    """Return ELECTRA-small's discriminator. Raises InputError when the weights cannot be had."""
    declare_missing_operators()
    from transformers import ElectraConfig, ElectraModel

    shape = ElectraConfig()  # its defaults are ELECTRA-small
    if not pretrained:
        return ElectraModel(shape)
    local = "a folder with the files of that model and torchvision's resnet files"
    return _transformer(ElectraModel, ELECTRA_NAME, weights, local, config=shape)


def minilm(*, pretrained: bool) -> nn.Module:
    """Return MiniLM, 6 layers of 384, without its pooler. Raises InputError when its package is not there."""
    declare_missing_operators()
    from transformers import BertConfig, BertModel

    shape = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    network = BertModel(shape, add_pooling_layer=False)
    network.packaged = PackagedWeights(MINILM, _published_minilm)
    if pretrained:
        network.load_state_dict(network.packaged.tensors(network))
    return network


def _published_minilm(path: Path, names: Sequence[str]) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    published = load_file(path)
    return {name: published[name] for name in names}


def _transformer(
    kind: type[PreTrainedModel],
    name: str,
    weights: str,
    local: str,
    **options: Any,  # noqa: ANN401
) -> nn.Module:
    with loading(name, local):
        network, found = kind.from_pretrained(weights or name, output_loading_info=True, **options)
        if found["missing_keys"]:  # the loader would leave these random
            message = f"it lacks {min(found['missing_keys'])}"
            raise ValueError(message)
    return network
