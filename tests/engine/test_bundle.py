from __future__ import annotations

import copy
import json

import pytest

from nlvr.engine.bundle import checksum, embedding_id, open_bundle, recipe_record, write_bundle
from nlvr.engine.errors import BundleError, NlvrError
from nlvr.engine.preprocess import Recipe

REMEDY = "export the bundle again with `nlvr-engine export`"


@pytest.fixture
def folder(tmp_path):
    """A folder with three small files, as a bundle has them."""
    path = tmp_path / "bundle"
    path.mkdir()
    for name in ("vehicle.onnx", "text.onnx", "tokenizer.json"):
        (path / name).write_bytes(name.encode() * 9)
    return path


@pytest.fixture
def manifest(folder):
    def graph(name, **inputs):
        return {
            "file": f"{name}.onnx",
            "sha256": checksum(folder / f"{name}.onnx"),
            "precision": "fp32",
            "opset": 20,
            "inputs": inputs,
            "outputs": {"vector": {"dtype": "float32", "dims": ["batch", 8]}},
            "block": {"cpu": 4, "cuda": 64},
        }

    return {
        "schema": 1,
        "system": "contrastive",
        "trained": False,
        "graphs": {
            "vehicle": graph("vehicle", crop={"dtype": "uint8", "dims": ["batch", 16, 16, 3]}),
            "text": graph("text", ids={"dtype": "int64", "dims": ["batch", 12]}),
        },
        "preprocessing": recipe_record(Recipe(size=16, frames="3")),
        "tokenizer": {
            "file": "tokenizer.json",
            "sha256": checksum(folder / "tokenizer.json"),
            "length": 12,
        },
        "vector": {"dtype": "float32", "slices": {"cosine": [0, 5], "colour": [5, 8]}},
        "parity": {"anything": [1.0, None]},
    }


def changed(manifest, name, value):
    """A copy of the manifest with another value at a dotted name; `...` takes the field away."""
    copied = copy.deepcopy(manifest)
    record = copied
    *parents, last = name.split("/")
    for key in parents:
        record = record[key]
    if value is ...:
        del record[last]
    else:
        record[last] = value
    return copied


def refusal(folder, manifest=None, *, content=None):
    """Open the folder with this manifest, and return the one line that refuses it."""
    if manifest is not None:
        content = json.dumps(manifest).encode()
    if content is not None:
        (folder / "manifest.json").write_bytes(content)
    with pytest.raises(NlvrError) as caught:
        open_bundle(folder)
    assert type(caught.value) is BundleError
    message = str(caught.value)
    assert message.isprintable()
    assert message.startswith(str(folder))
    assert "; " in message
    return message


def test_a_bundle_is_read(folder, manifest):
    bundle = write_bundle(folder, manifest)
    assert bundle == open_bundle(str(folder))
    assert (bundle.system, bundle.trained, bundle.text_length, bundle.dims) == ("contrastive", False, 12, 8)
    assert bundle.recipe == Recipe(size=16, frames="3")
    assert bundle.tokenizer == folder / "tokenizer.json"
    assert bundle.vector == {"cosine": (0, 5), "colour": (5, 8)}
    assert bundle.manifest == json.loads(json.dumps(manifest))
    vehicle = bundle.graphs["vehicle"]
    assert vehicle.path == folder / "vehicle.onnx"
    assert (vehicle.precision, vehicle.opset) == ("fp32", 20)
    assert vehicle.outputs == {"vector": ("float32", ("batch", 8))}
    assert vehicle.inputs == {"crop": ("uint8", ("batch", 16, 16, 3))}
    assert vehicle.block == {"cpu": 4, "cuda": 64}


def test_the_shipped_bundle_opens(tiny):
    bundle = open_bundle(tiny)
    assert set(bundle.graphs) == {"vehicle", "text"}
    assert not bundle.trained


# The embedding id


def test_the_embedding_id_changes_with_the_manifest_and_with_nothing_else(folder, manifest):
    one = embedding_id(manifest)
    assert len(one) == 64
    assert write_bundle(folder, manifest).embedding_id == one
    reordered = json.loads(json.dumps(manifest, sort_keys=True))
    (folder / "manifest.json").write_text(json.dumps(dict(reversed(reordered.items())), indent=7))
    assert open_bundle(folder).embedding_id == one
    seen = {one}
    for name, value in [
        ("trained", True),
        ("parity/anything", [1.0, 0]),
        ("preprocessing/size", 17),
        ("preprocessing/line_width", 0.02),
        ("tokenizer/length", 13),
        ("vector/slices/colour", [5, 9]),
        ("note", ""),
    ]:
        seen.add(write_bundle(folder, changed(manifest, name, value)).embedding_id)
    assert len(seen) == 8


# What is no bundle


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path, folder):
    remedy = "give a folder that holds manifest.json, such as checkpoints/NAME"
    for path, fact in ((folder, "is no bundle: it holds no manifest.json"), (tmp_path / "absent", "does not exist")):
        with pytest.raises(BundleError) as caught:
            open_bundle(path)
        assert str(caught.value) == f"{path}: {fact}; {remedy}"


def test_a_file_is_no_bundle(folder):
    with pytest.raises(BundleError, match="; "):
        open_bundle(folder / "text.onnx")


def test_a_manifest_that_is_a_folder_is_refused(folder):
    (folder / "manifest.json").mkdir()
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b'{"schema": 1}}', "cannot be read"),
        (b"\xff\xfe{}", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "cannot be read"),
        (b"[]", "is not a JSON object"),
        (b"null", "is not a JSON object"),
        (b'"text"', "is not a JSON object"),
        (b"{}", "has schema None"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused(folder, content, fact):
    assert fact in refusal(folder, content=content)


@pytest.mark.parametrize("schema", [0, 2, "1", None, [1], 1.5])
def test_an_unknown_schema_is_refused(folder, manifest, schema):
    message = refusal(folder, changed(manifest, "schema", schema))
    assert f"has schema {schema!r}, and this engine reads schema 1; " in message
    assert "install the engine that wrote it" in message


# Fields

FIELDS = [
    "system",
    "trained",
    "graphs",
    "graphs/text/file",
    "graphs/text/sha256",
    "graphs/text/precision",
    "graphs/text/opset",
    "graphs/text/inputs",
    "graphs/text/inputs/ids/dtype",
    "graphs/text/inputs/ids/dims",
    "graphs/text/outputs",
    "graphs/text/block",
    "preprocessing",
    "preprocessing/colour",
    "tokenizer",
    "tokenizer/file",
    "tokenizer/sha256",
    "tokenizer/length",
    "vector",
    "vector/slices",
]


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", [..., None, 1.5], ids=repr)
def test_a_field_that_is_missing_or_of_another_type_is_refused_by_name(folder, manifest, name, value):
    message = refusal(folder, changed(manifest, name, value))
    assert message.startswith(f"{folder / 'manifest.json'}: ")
    assert name.replace("/", ".") in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trained", "false"),
        ("trained", 0),
        ("system", ["contrastive"]),
        ("graphs", []),
        ("graphs/text", None),
        ("graphs/text", "text.onnx"),
        ("graphs/text/inputs/ids", None),
        ("graphs/text/inputs/ids", "int64"),
        ("graphs/text/inputs/ids/dims", "batch"),
        ("graphs/text/inputs", {"ids": 1}),
        ("graphs/text/inputs", []),
        ("graphs/text/outputs", {}),
        ("graphs/text/outputs", {"a": {}, "b": {}}),
        ("graphs/text/opset", True),
        ("graphs/text/block", {}),
        ("graphs/text/block", {"cuda": 4}),
        ("graphs/text/block/cpu", 0),
        ("graphs/text/block/cpu", -4),
        ("graphs/text/block/cpu", "4"),
        ("graphs/text/block/cuda", None),
        ("graphs/text/block/cuda", 2.5),
        ("tokenizer/length", 0),
        ("tokenizer/length", True),
        ("tokenizer/length", "12"),
        ("vector/slices", [[0, 5]]),
        ("vector/slices/cosine", 5),
        ("vector/slices/cosine", [0]),
        ("vector/slices/cosine", [0, "5"]),
        ("vector/slices/cosine", [0, 5, 8]),
        ("vector/slices/cosine", [5, 0]),
        ("vector/slices/cosine", [-1, 5]),
        ("vector/slices/cosine", None),
    ],
)
def test_a_value_that_no_bundle_has_is_refused_by_name(folder, manifest, name, value):
    message = refusal(folder, changed(manifest, name, value))
    assert message.startswith(f"{folder / 'manifest.json'}: ")
    assert name.split("/")[0] in message


@pytest.mark.parametrize(
    ("field", "value", "fact"),
    [
        ("colour", "BGR", "preprocessing.colour is not RGB"),
        ("resize", "bilinear", "resize is 'bilinear', wanted area or bicubic"),
        ("trajectory", "arrow", "trajectory is 'arrow'"),
        ("frames", "first", "frames is 'first'"),
        ("size", 0, "size is 0"),
        ("size", "224", "size is '224'"),
        ("max_points", -1, "max_points is -1"),
        ("line_width", "1 %", "line_width is '1 %'"),
        ("mean", [0.5], "mean is (0.5,)"),
        ("mean", 0.5, "preprocessing cannot be read"),
        ("std", [0, 1, 1], "std is (0, 1, 1)"),
        ("crop_margin", 0.1, "crop_margin"),
        ("not an argument", 1, "not an argument"),
    ],
)
def test_a_recipe_that_this_engine_cannot_follow_is_refused(folder, manifest, field, value, fact):
    assert fact in refusal(folder, changed(manifest, f"preprocessing/{field}", value))


# Files


@pytest.mark.parametrize("name", ["vehicle.onnx", "text.onnx", "tokenizer.json"])
def test_a_file_that_was_changed_is_refused_by_name(folder, manifest, name):
    write_bundle(folder, manifest)
    content = (folder / name).read_bytes()
    for other in (b"", content[:-1], content + b"\n", content.swapcase()):
        (folder / name).write_bytes(other)
        assert f"{folder / name}: has sha256 " in refusal(folder)
    (folder / name).unlink()
    assert f"{folder / name}: cannot be read" in refusal(folder)


@pytest.mark.parametrize("record", ["graphs/text", "tokenizer"])
@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../outside", "/etc/passwd", "sub/../text.onnx", "./text.onnx", "text.onnx/", "a\0b", "x" * 300],
)
def test_a_file_that_is_not_in_the_folder_is_refused(folder, manifest, record, name):
    (folder.parent / "outside").write_bytes(b"secret")
    other = changed(manifest, f"{record}/file", name)
    message = refusal(folder, changed(other, f"{record}/sha256", checksum(folder.parent / "outside")))
    assert "leaves the bundle" in message or "cannot be read" in message


def test_a_checksum_that_is_no_checksum_is_refused(folder, manifest):
    for value in ("", "abc", "Z" * 64, checksum(folder / "text.onnx").upper()):
        assert "has sha256" in refusal(folder, changed(manifest, "graphs/text/sha256", value))


def test_what_is_written_must_open(folder, manifest):
    with pytest.raises(BundleError):
        write_bundle(folder, changed(manifest, "tokenizer", ...))
