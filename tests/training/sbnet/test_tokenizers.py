"""The tokenizer of each language module."""

from __future__ import annotations

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.sbnet.config import load_config
from nlvr.training.sbnet.tokenizers import build_tokenizer


@pytest.mark.parametrize(("preset", "length"), [("compact", 30), ("tiny", 96)])
def test_sentences_fill_the_configured_length(preset, length):
    tokenizer = build_tokenizer(load_config(preset))
    for sentence in ("a car", "car " * 200):
        assert len(tokenizer.encode(sentence).ids) == length


def test_electra_reads_word_pieces_from_the_local_folder(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "car"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    tokenizer = build_tokenizer(load_config("paper", overrides=[f"model.weights={tmp_path}", "text.length=6"]))
    assert tokenizer.encode("A CAR").ids == [2, 5, 6, 3, 0, 0]


def test_a_folder_without_electras_vocabulary_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"electra.*set model\.weights"):
        build_tokenizer(load_config("paper", overrides=[f"model.weights={tmp_path}"]))
