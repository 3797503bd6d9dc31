"""The sentence embeddings behind hard text mining."""

from __future__ import annotations

import numpy as np
import pytest

from nlvr.training.contrastive.sentences import sentence_embeddings

pytestmark = pytest.mark.usefixtures("one_thread")


def test_sentences_of_one_meaning_are_close_and_company_does_not_matter():
    sentences = ["A red sedan is turning right.", "A red sedan turns right.", "A white bus stops at the crossing."]
    vectors = sentence_embeddings([*sentences, *(f"A blue van goes past house {number}." for number in range(70))])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    likeness = vectors[:3] @ vectors[:3].T
    assert likeness[0, 1] > 0.9 > 0.6 > likeness[0, 2]
    np.testing.assert_allclose(sentence_embeddings(sentences[2:]), vectors[2:3], atol=1e-5)
