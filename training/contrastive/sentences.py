"""How alike sentences are, for hard text mining: MiniLM's embeddings stand for the SBERT of P2, section 3.2.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from nlvr.engine.tokenizer import Tokenizer

from .config import load_config
from .tokenizers import build_tokenizer
from .towers import build_towers

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK = 64


@torch.inference_mode()
def sentence_embeddings(sentences: Sequence[str]) -> np.ndarray:
    """Return float32 [N, 384], unit rows. The encoder is the pretrained text tower of the compact preset."""
    config = load_config("compact")
    encoder = build_towers(config, pretrained=True).text.module.eval()
    tokens = Tokenizer(build_tokenizer(config), length=config.text.length)(sentences)
    features = [
        encoder(
            torch.from_numpy(tokens.ids[first : first + _BLOCK]), torch.from_numpy(tokens.mask[first : first + _BLOCK])
        )
        for first in range(0, len(sentences), _BLOCK)
    ]
    return functional.normalize(torch.cat(features), dim=1).numpy()
