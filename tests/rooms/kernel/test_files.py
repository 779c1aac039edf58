"""Files that are replaced as a whole. If this breaks, a reader meets an empty or half-written file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from aerodrome.kernel.files import write_text


def test_a_reader_sees_whole_files_while_several_write(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    texts = [letter * 50_000 for letter in "abc"]
    write_text(path, texts[0])

    def write(text: str) -> None:
        for _ in range(60):
            write_text(path, text)

    writers = [threading.Thread(target=write, args=[text]) for text in texts]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text())
    for writer in writers:
        writer.join()
    assert seen <= set(texts)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_text(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "new \udcff")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
