"""The evidence bundle: whole and signed, or the changed part is named, whichever byte it was."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle

LONG = "estate/" + "x" * 120 + "/" + "y" * 60 + ".json"


@pytest.fixture(scope="module")
def key() -> Secret:
    return bundle.new_key()


@pytest.fixture
def made(tmp_path: Path, key: Secret) -> Path:
    part = tmp_path / "part.json"
    part.write_bytes(b"[1, 2]" * 50)
    path = tmp_path / "evidence.tar"
    bundle.write(
        path, {"migration": "legacy"}, {"a.json": b"{}", "b/part.json": part, LONG: b"long", "empty": b""}, key
    )
    return path


def test_a_fresh_bundle_is_whole_and_any_tar_unpacks_it(made: Path, key: Secret) -> None:
    found = bundle.verify(made, bundle.public_half(key))
    assert found.is_whole
    assert [entry["name"] for entry in found.manifest["entries"]] == ["a.json", "b/part.json", "empty", LONG]
    assert found.key_id == found.manifest["key_id"]
    with tarfile.open(made) as archive:
        assert archive.getnames() == ["manifest.json", "manifest.sig", "a.json", "b/part.json", "empty", LONG]
        inside = archive.extractfile("b/part.json")
        assert inside is not None
        assert inside.read() == b"[1, 2]" * 50


def test_any_changed_byte_is_found_and_named(made: Path, key: Secret) -> None:
    """Every byte of the file, one after another: content, manifest, signature, headers, padding, end mark."""
    public, data = bundle.public_half(key), bytearray(made.read_bytes())
    for offset in range(len(data)):
        data[offset] ^= 0x20
        found = bundle.verify_stream(io.BytesIO(data), public)
        assert found.problems, offset
        assert all(problem.part and problem.message for problem in found.problems)
        data[offset] ^= 0x20
    assert bundle.verify_stream(io.BytesIO(data), public).is_whole


def test_the_part_is_named(made: Path, key: Secret) -> None:
    public, data = bundle.public_half(key), made.read_bytes()
    for piece, part in (
        (b"[1, 2]", "b/part.json"),
        (b"long\0", LONG),
        (b'"migration"', "manifest.json or manifest.sig"),
    ):
        at = data.index(piece)
        made.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert [problem.part for problem in bundle.verify(made, public).problems] == [part]


def test_what_is_cut_off_added_or_taken_away_is_found(made: Path, key: Secret) -> None:
    public, data = bundle.public_half(key), made.read_bytes()
    for changed in (
        data[:-1],
        data[:-1024],
        data[: len(data) // 2],
        data[:600],
        data[:3],
        b"",
        data + b"\0",
        data + data[512:1024],
    ):
        made.write_bytes(changed)
        assert not bundle.verify(made, public).is_whole


def test_another_key_signs_nothing_here(made: Path, tmp_path: Path) -> None:
    other = bundle.new_key()
    assert not bundle.verify(made, bundle.public_half(other)).is_whole
    with pytest.raises(Invalid) as caught:
        bundle.verify(made, "no key")
    assert caught.value.code == "bundle-key-malformed"
    with pytest.raises(Invalid) as caught:
        bundle.verify(tmp_path / "none", bundle.public_half(other))
    assert caught.value.code == "bundle-unreadable"


def test_the_command_line_verifies_with_nothing_but_the_two_files(made: Path, key: Secret, tmp_path: Path) -> None:
    public = tmp_path / "key.pem"
    public.write_text(bundle.public_half(key))
    command = [
        sys.executable,
        "-m",
        "aerodrome.cli",
        "migrate",
        "evidence",
        "verify",
        str(made),
        "--public-key",
        str(public),
    ]
    environment = {"PATH": "", "HOME": str(tmp_path), "AERODROME_CONFIG_DIR": str(tmp_path / "none")}
    good = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stderr
    assert "Whole: 4 parts of the migration legacy" in good.stderr
    made.write_bytes(made.read_bytes().replace(b"[1, 2]", b"[1, 3]", 1))
    bad = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "b/part.json, byte " in bad.stderr
