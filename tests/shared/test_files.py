import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dynaferry.errors import StateWriteError
from dynaferry.shared.files import (
    check_replaceable,
    kind_of,
    read_bounded,
    refusals_raised,
    replacing,
    write_whole,
)

KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
from dynaferry.shared.files import replacing
with replacing(Path(sys.argv[1]), private=True) as file:
    file.write(b"a secret")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def write(path: Path, content: bytes = b"new", *, private: bool = True) -> None:
    with replacing(path, private=private) as file:
        file.write(content)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_takes_the_place_of_the_earlier_one_and_nothing_else_is_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write(path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_the_earlier_one_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path, private=True) as file:
        file.write("no bytes")  # type: ignore[call-overload]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_what_is_private_is_for_its_owner_alone_and_all_else_as_the_umask_has_it(
    tmp_path: Path, *, private: bool, mode: int
) -> None:
    umask = os.umask(0o027)
    try:
        write(tmp_path / "file", private=private)
    finally:
        os.umask(umask)
    assert mode_of(tmp_path / "file") == mode


@pytest.mark.parametrize("name", [".file.new", f".file.{os.getpid()}.new"], ids=["new", "own"])
def test_an_unfinished_file_is_not_written_through_a_link_that_waits_for_it(
    tmp_path: Path, name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"a year of work")
    (tmp_path / name).symlink_to(precious)
    write(tmp_path / "file")
    assert precious.read_bytes() == b"a year of work"


def test_two_writers_of_one_file_have_unfinished_files_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path, private=True) as one:
        one.write(b"one")
        write(path, b"other")
        assert path.read_bytes() == b"other"
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_for_its_owner_alone_and_removed_by_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_HALFWAY, path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert mode_of(left) == 0o600
    (tmp_path / ".file.other.new").write_bytes(b"somebody's")
    write(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".file.other.new", "file"]


def test_a_name_of_255_bytes_has_room_for_an_unfinished_file(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    write(path)
    assert path.read_bytes() == b"new"


def test_a_link_to_nowhere_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").symlink_to(tmp_path / "nowhere")
    write(tmp_path / "file")
    assert not (tmp_path / "file").is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_device_is_written_into_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "device").symlink_to(os.devnull)
    write(tmp_path / "device")
    assert stat.S_ISCHR((tmp_path / "device").stat().st_mode)


def test_a_pipe_is_written_into_where_somebody_reads(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="No such device"):
        write(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reader, 100) == b"new"
    os.close(reader)


def test_whether_a_file_can_be_replaced_is_known_before_it_is(tmp_path: Path) -> None:
    check_replaceable(tmp_path / "file")
    check_replaceable(Path(os.devnull))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "plain").touch()
    for place in (tmp_path, tmp_path / "missing" / "file", tmp_path / "plain" / "file"):
        with pytest.raises(OSError, match=r"directory"):
            check_replaceable(place)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bounded(path, 4)
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_bounded(Path("/dev/zero"), 4)
    with pytest.raises(IsADirectoryError):
        read_bounded(tmp_path, 4)


def test_a_pipe_is_read_to_its_end_and_one_that_nobody_writes_is_not_waited_for(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert read_bounded(pipe, 5) == b""
    reading, writing = os.pipe()
    os.write(writing, b"1234")
    os.close(writing)
    assert read_bounded(Path(f"/dev/fd/{reading}"), 5) == b"1234"
    os.close(reading)


def test_what_stands_in_a_files_place_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    modes = [path.lstat().st_mode for path in (tmp_path, tmp_path / "pipe", tmp_path / "link")]
    assert [kind_of(mode) for mode in modes] == ["a directory", "a pipe", "a symbolic link"]
    assert kind_of(Path(os.devnull).stat().st_mode) == "a device"


def test_a_file_is_written_whole_or_the_error_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "report.html"
    with (
        pytest.raises(StateWriteError, match="report cannot be written: No such") as told,
        refusals_raised("the report", hint="name another", error=StateWriteError),
    ):
        write_whole(missing, b"whole", private=False)
    assert told.value.hint == "name another"
    write_whole(tmp_path / "report.html", b"whole", private=False)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
