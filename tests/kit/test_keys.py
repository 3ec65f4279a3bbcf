"""The key ring: made, kept, rotated, refused."""

import base64
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from app.kit.keys import (
    FiledKeyRing,
    KeyRing,
    KeyRingUnusable,
    is_keyed_digest,
    join_parts,
    key_checks,
    keyed_digest,
    keyed_digests,
    load_key_ring,
    load_or_create_key_ring,
    new_key_ring,
    read_key_ring,
    save_key_ring,
    tag,
)


def test_a_ring_survives_its_file(tmp_path: Path) -> None:
    ring = new_key_ring().rotated("data")
    save_key_ring(ring, tmp_path / "deep" / "keys.json")
    assert load_key_ring(tmp_path / "deep" / "keys.json") == ring


def test_the_file_is_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    save_key_ring(new_key_ring(), path)
    save_key_ring(new_key_ring(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys.json"
    save_key_ring(new_key_ring(), path)
    path.chmod(mode)
    with pytest.raises(KeyRingUnusable, match="0600"):
        load_key_ring(path)


def test_a_read_only_file_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    save_key_ring(new_key_ring(), path)
    path.chmod(0o400)
    load_key_ring(path)


def test_a_missing_file_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(KeyRingUnusable, match="读不到"):
        load_key_ring(tmp_path / "keys.json")
    assert list(tmp_path.iterdir()) == []


def test_a_demo_makes_its_ring_once_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "keys.json"
    ring = load_or_create_key_ring(path)
    assert load_or_create_key_ring(path) == ring
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_demo_does_not_replace_a_file_that_it_cannot_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("{", encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(KeyRingUnusable):
        load_or_create_key_ring(path)
    assert path.read_text(encoding="utf-8") == "{"


def test_processes_that_start_together_share_one_ring(tmp_path: Path) -> None:
    rings: list[KeyRing] = []
    start = threading.Barrier(8)

    def begin() -> None:
        start.wait()
        rings.append(load_or_create_key_ring(tmp_path / "keys.json"))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 8
    assert all(ring == rings[0] for ring in rings)


def test_rotating_adds_a_version_to_the_families_named_and_keeps_the_old_ones() -> None:
    ring = new_key_ring()
    rotated = ring.rotated("data", "token")
    assert (rotated.current("data"), rotated.current("index"), rotated.current("token")) == (2, 1, 2)
    assert rotated.data[1] == ring.data[1]
    assert rotated.data[2] != ring.data[1]
    assert ring.current("data") == 1


def test_a_ring_shows_no_key_when_it_is_printed() -> None:
    ring = new_key_ring()
    assert repr(ring) == "KeyRing()"


def test_a_ring_cannot_be_changed_behind_its_back() -> None:
    keys = {1: os.urandom(32)}
    ring = KeyRing(data=keys, index={1: os.urandom(32)}, token={1: os.urandom(32)})
    keys[2] = os.urandom(32)
    assert ring.current("data") == 1


def written(**changes: object) -> str:
    """A ring's JSON with members replaced; None leaves one out."""
    document = {**json.loads(new_key_ring().to_json()), **changes}
    return json.dumps({name: value for name, value in document.items() if value is not None})


SHORT = base64.b64encode(bytes(16)).decode()
SAME = base64.b64encode(bytes(range(32))).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON"),
        ("[]", "JSON"),
        (written(data={"one": SAME}), "JSON"),
        (written(data={"1": "not base64"}), "JSON"),
        (written(data=["1"]), "JSON"),
        (written(token=None), "token"),
        (written(index={}), "index"),
        (written(data={"1": SHORT}), "32"),
        (written(data={"0": SAME}), "版本"),
        (written(data={"1": SAME, "2": SAME}), "相同"),
        (written(data={"1": SAME}, index={"1": SAME}), "相同"),
    ],
)
def test_a_ring_that_cannot_be_used_is_refused_and_says_why_without_quoting_it(text: str, says: str) -> None:
    with pytest.raises(KeyRingUnusable, match=says) as refusal:
        read_key_ring(text)
    assert SAME not in str(refusal.value)
    assert "not base64" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_tag_is_hmac_sha256_over_lengths_and_parts() -> None:
    assert join_parts("ab", "中") == b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x03\xe4\xb8\xad"
    # Computed with `openssl dgst -sha256 -mac hmac` over the bytes above.
    assert tag(bytes(range(32)), "ab", "中") == "_gxO1KGmRvC8h6372vJ0vgyjSNI8RYxM63LpvU1-4KQ"


def test_a_check_value_tells_keys_apart_and_holds_none(key_ring: KeyRing) -> None:
    checks = key_checks(key_ring)
    assert list(checks) == [("data", 1), ("index", 1), ("token", 1)]
    assert len(set(checks.values())) == 3
    assert checks == key_checks(read_key_ring(key_ring.to_json()))
    assert checks[("data", 1)] == tag(key_ring.data[1], "key_check", "data", "1")
    assert not set(checks.values()) & set(key_checks(new_key_ring()).values())
    assert key_checks(key_ring.rotated("index")).keys() - checks.keys() == {("index", 2)}


def test_parts_cannot_flow_into_each_other() -> None:
    assert join_parts("ab", "c") != join_parts("a", "bc")


def test_a_keyed_digest_tells_codes_purposes_and_rings_apart(key_ring: KeyRing) -> None:
    digest = keyed_digest(key_ring, "482913", purpose="otp:17")
    assert "482913" not in digest
    assert is_keyed_digest(key_ring, digest, "482913", purpose="otp:17")
    assert not is_keyed_digest(key_ring, digest, "482914", purpose="otp:17")
    assert not is_keyed_digest(key_ring, digest, "482913", purpose="otp:18")
    assert not is_keyed_digest(new_key_ring(), digest, "482913", purpose="otp:17")


def test_a_keyed_digest_outlives_a_rotation(key_ring: KeyRing) -> None:
    digest = keyed_digest(key_ring, "482913", purpose="otp:17")
    rotated = key_ring.rotated("token")
    assert is_keyed_digest(rotated, digest, "482913", purpose="otp:17")
    assert keyed_digest(rotated, "482913", purpose="otp:17").startswith("2.")


def test_a_value_has_a_digest_under_each_version_the_newest_first(key_ring: KeyRing) -> None:
    rotated = key_ring.rotated("token").rotated("token")
    digests = keyed_digests(rotated, "482913", purpose="otp:17")
    assert [digest.partition(".")[0] for digest in digests] == ["3", "2", "1"]
    assert digests[0] == keyed_digest(rotated, "482913", purpose="otp:17")
    assert digests[-1] == keyed_digest(key_ring, "482913", purpose="otp:17")


@pytest.mark.parametrize("digest", ["", "1", "x.y", "99.abc", "1.中"])
def test_what_is_no_digest_belongs_to_no_code(key_ring: KeyRing, digest: str) -> None:
    assert not is_keyed_digest(key_ring, digest, "482913", purpose="otp:17")


def test_a_version_may_be_read_before_one_writes_with_it() -> None:
    ring = new_key_ring().rotated("data", "index", writing=False)
    assert (ring.current("data"), ring.current("index"), max(ring.data)) == (1, 1, 2)
    assert read_key_ring(ring.to_json()) == ring
    newest = ring.let_newest_write()
    assert (newest.current("data"), newest.data) == (2, ring.data)
    with pytest.raises(KeyRingUnusable, match="没有第 9 版"):
        KeyRing(data=ring.data, index=ring.index, token=ring.token, writes={"data": 9})


def test_a_process_that_runs_reads_a_replaced_file_and_no_foreign_or_broken_one(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = new_key_ring()
    save_key_ring(first, path)
    running = FiledKeyRing(path)
    rotated = first.rotated("data")
    save_key_ring(rotated, path)
    assert (running.data, running.current("data")) == (rotated.data, 2)
    save_key_ring(new_key_ring(), path)
    assert running.data == rotated.data
    path.write_text("{", encoding="utf-8")
    assert running.data == rotated.data
    path.unlink()
    assert running.data == rotated.data
    save_key_ring(rotated.rotated("index"), path)
    assert running.current("index") == 2
    path.chmod(0o644)
    assert running.current("index") == 2
    assert repr(running) == "FiledKeyRing()"
