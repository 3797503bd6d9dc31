"""Each preset's tokenizer: its length, its padding, and the same file for the same settings."""

from __future__ import annotations

import pytest

from nlvr.training.contrastive.config import load_config
from nlvr.training.contrastive.tokenizers import build_tokenizer


@pytest.mark.parametrize(("preset", "length"), [("clip", 77), ("compact", 64), ("tiny", 96)])
def test_sentences_fill_the_configured_length(preset, length):
    tokenizer = build_tokenizer(load_config(preset))
    for sentence in ("a car", "car " * 200):
        assert len(tokenizer.encode(sentence).ids) == length


def test_the_baseline_reads_word_pieces_from_the_local_folder(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "car"]
    (tmp_path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    config = load_config("baseline", overrides=[f"model.weights={tmp_path}", "text.length=6"])
    assert build_tokenizer(config).encode("A car").ids == [2, 5, 6, 3, 0, 0]


@pytest.mark.parametrize("preset", ["clip", "compact", "tiny"])
def test_equal_settings_give_equal_files(preset):
    assert build_tokenizer(load_config(preset)).to_str() == build_tokenizer(load_config(preset)).to_str()
