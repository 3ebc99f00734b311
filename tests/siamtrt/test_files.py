from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from siamtrt import ArtifactError
from siamtrt.files import read_json, sha256, whole_file, write_text


def test_a_file_appears_whole_with_its_folders(tmp_path):
    write_text(tmp_path / "a" / "b.txt", "whole")
    assert (tmp_path / "a" / "b.txt").read_text() == "whole"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_a_failure_midway_keeps_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / "kept.txt"
    path.write_text("old")

    def write_and_fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with whole_file(tmp_path / "video.mp4") as temporary:
        assert temporary.suffix == ".mp4"
        temporary.write_bytes(b"")


def test_a_full_disk_is_one_sentence_and_a_way_out(tmp_path):
    def fill():
        with whole_file(tmp_path / "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ArtifactError, match=r"cannot write .*x: No space left on device\n  try: free some space"):
        fill()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's always-full disk")
def test_a_disk_that_is_really_full(tmp_path):
    def fill():
        with whole_file(tmp_path / "x"), Path("/dev/full").open("w") as stream:
            stream.write("data")

    with pytest.raises(ArtifactError, match="No space left"):
        fill()
    assert not (tmp_path / "x").exists()


def test_digests_are_those_of_sha256sum(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    assert sha256(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with pytest.raises(ArtifactError, match="cannot read"):
        sha256(tmp_path / "absent")


def test_deeply_nested_json_is_refused_not_crashed_on(tmp_path):
    (tmp_path / "deep.json").write_text('{"a":' + "[" * 200_000)
    with pytest.raises(ArtifactError, match="cannot read"):
        read_json(tmp_path / "deep.json")


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("not a folder")
    with pytest.raises(ArtifactError, match=r"cannot write .*taken"):
        write_text(tmp_path / "taken" / "new.json", "{}")
