from __future__ import annotations

import os
from pathlib import Path

import pytest

from nlvr.engine.errors import OutputError
from nlvr.engine.output import Staging, check_writable, write_whole


@pytest.fixture(params=[False, True], ids=["new", "existing"])
def target(tmp_path, request):
    path = tmp_path / "result.json"
    if request.param:
        path.write_bytes(b"old")
    return path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_file_is_written_and_written_over(target):
    check_writable(target)
    write_whole(target, b"new")
    assert contents(target.parent) == {target.name: b"new"}


@pytest.mark.parametrize(
    ("error", "raised"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), OutputError)],
)
@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_an_interrupted_write_leaves_what_was_there(monkeypatch, target, step, error, raised):
    def interrupt(*_args, **_kwargs):
        raise error

    def tear(path, mode):
        with open_file(path, mode) as file:
            file.write(b"ne")
        raise error

    open_file = Path.open
    before = contents(target.parent)
    with monkeypatch.context() as patch:
        if step == "open":
            patch.setattr(Path, "open", interrupt)
        elif step == "write":
            patch.setattr(Path, "open", tear)
        elif step == "fsync":
            patch.setattr(os, "fsync", interrupt)
        else:
            patch.setattr(Path, "replace", interrupt)
        with pytest.raises(raised) as caught:
            write_whole(target, b"new")
    assert contents(target.parent) == before
    if raised is OutputError:
        assert str(caught.value) == f"{target}: cannot be written (No space left on device); choose another place"


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file/result.json", ""),
        ("file/a/result.json", ""),
        ("absent/result.json", ""),
        ("folder", "is a directory"),
        ("/", "is a directory"),
        (".", "is a directory"),
        ("", "is a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused(tmp_path, monkeypatch, place, reason):
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    for refuse in (check_writable, lambda path: write_whole(path, b"new")):
        with pytest.raises(OutputError) as caught:
            refuse(place)
        message = str(caught.value)
        assert message.startswith(f"{Path(place)}: cannot be written ({reason}")
        assert message.endswith("choose another place")
        assert message.isprintable()
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder"]
    assert Path("file").read_bytes() == b"kept"
    assert not contents(Path("folder"))


def test_the_longest_name_a_folder_takes_is_written(tmp_path):
    path = tmp_path / ("x" * 255)
    check_writable(path)
    write_whole(path, b"new")
    assert contents(tmp_path) == {path.name: b"new"}


def test_a_link_keeps_pointing_where_it_points(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    held, link = tmp_path / "elsewhere" / "result.json", tmp_path / "link"
    held.write_bytes(b"old")
    link.symlink_to(held)
    check_writable(link)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert held.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "link", "result.json"]


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    node = tmp_path / "null"
    node.symlink_to("/dev/null")
    check_writable(node)
    write_whole(node, b"new")
    assert Path("/dev/null").is_char_device()


def test_a_pipe_takes_the_content(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_writable(pipe)
        write_whole(pipe, b"new")
        assert os.read(reader, 100) == b"new"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_device_is_an_error():
    with pytest.raises(OutputError, match=r"^/dev/full: cannot be written \(No space left on device\); "):
        write_whole("/dev/full", b"new")


def test_staged_files_come_all_or_none(tmp_path):
    (tmp_path / "first.json").write_text("old")
    with Staging() as staging:
        staging.add(tmp_path / "first.json", b"new")
        staging.add(tmp_path / "second.json", b"new")
        with pytest.raises(OutputError, match="nowhere"):
            staging.add(tmp_path / "nowhere" / "third.json", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["first.json"]
    assert (tmp_path / "first.json").read_text() == "old"
    with Staging() as staging:
        staging.add(tmp_path / "first.json", b"new")
        staging.add(tmp_path / "second.json", b"new")
        assert not (tmp_path / "second.json").exists()
        staging.commit()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.json", "second.json"]
    assert (tmp_path / "first.json").read_text() == "new"


def test_a_device_that_refuses_leaves_the_files_out(tmp_path):
    with Staging() as staging:
        staging.add(tmp_path / "first.json", b"new")
        staging.add("/dev/full", b"new")
        with pytest.raises(OutputError, match="/dev/full"):
            staging.commit()
    assert not any(tmp_path.iterdir())


def test_a_folder_made_for_a_file_goes_where_the_file_does(tmp_path):
    with Staging() as staging:
        staging.make_folder(tmp_path / "a" / "b")
        staging.add(tmp_path / "a" / "b" / "file", b"new")
    assert not any(tmp_path.iterdir())
    with Staging() as staging:
        staging.make_folder(tmp_path / "a" / "b")
        staging.add(tmp_path / "a" / "b" / "file", b"new")
        staging.commit()
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"
