"""The tokenizer of each text tower, beside a checkpoint as `tokenizer.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backbones import tokenizers
from ..backbones.weights import BERT_NAME

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from .config import ContrastiveConfig


def build_tokenizer(config: ContrastiveConfig) -> Tokenizer:
    """Return the tokenizer of the configured text tower, padding and cutting to `config.text.length`.

    Raises InputError when its vocabulary cannot be had.
    """
    builders = {
        "clip": tokenizers.clip,
        "baseline": lambda: tokenizers.wordpiece(BERT_NAME, weights=config.model.weights),
        "compact": tokenizers.minilm,
        "tiny": tokenizers.bytewise,
    }
    return tokenizers.fitted(builders[config.model.backbone](), config.text.length)
