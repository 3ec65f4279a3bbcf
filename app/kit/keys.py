"""The key ring: versioned keys for encrypting columns, for searching them blindly and for digests of short codes.

The newest version of a family does the work, the older ones only read what they once wrote: rotating adds a version and
never takes one away. Losing the file loses every name and phone in the database, so it is backed up apart from it.

A ring says besides which cipher writes and, if a key service holds the master keys, who wraps people's own keys.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args

KEY_BYTES = 32  # AES-256; for HMAC-SHA256 as long as its output (RFC 2104 section 3)

Family = Literal["data", "index", "token"]
FAMILIES: tuple[Family, ...] = get_args(Family)


class KeyRingUnusable(Exception):
    """The key ring cannot be used, and why. Raised at start-up; the message never holds a key."""


class Cipher(StrEnum):
    """What seals (`kit.encrypted`). Whatever writes today, what the other has written opens all the same."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"


class KeyToWrap(NamedTuple):
    """A person's key and what it is bound to: wrapped for one place, it is unwrapped for no other."""

    context: bytes
    key: bytes


class WrappedKey(NamedTuple):
    """A key as `MasterKeys.wrap` gave it, and what it was bound to."""

    context: bytes
    wrapped: str


class MasterKeys(Protocol):
    """Who wraps people's own keys with a master key: a key service, where the ring does not do it itself.

    Each raises `Busy` when it cannot be asked, rather than guess.
    """

    def current(self) -> str:
        """What a key begins with that is wrapped today, so that those are found that are to be wrapped anew."""
        ...

    def wrap(self, keys: Sequence[KeyToWrap]) -> list[str]:
        """Each key wrapped, in their order."""
        ...

    def unwrap(self, wrapped: Sequence[WrappedKey]) -> list[bytes | None]:
        """Each key, in their order; None for one that was altered, moved or wrapped by nobody who is known here."""
        ...


@dataclass(frozen=True)
class KeyRing:
    """Three families of keys, each a mapping from version (1, 2, …) to 32 bytes.

    Attributes:
        data: keys for encrypted columns and for wrapping people's own keys.
        index: HMAC-SHA256 keys for blind indexes.
        token: HMAC-SHA256 keys for digests of short codes.
        writes: by family the version that writes, where that is not the newest: while a new one is being handed out to
            processes that take their ring from the environment, all of them must read it before one may write with it.
        cipher: what seals from now on.
        masters: the key service that wraps people's keys; None: the ring's own data keys do.

    Raises:
        KeyRingUnusable: a family is empty, a version is not positive, a key is not 32 bytes or stands twice, or what is
            to write is not there.
    """

    # Left out of repr(): a key ring that is printed by mistake must not give its keys away.
    data: Mapping[int, bytes] = field(repr=False)
    index: Mapping[int, bytes] = field(repr=False)
    token: Mapping[int, bytes] = field(repr=False)
    writes: Mapping[Family, int] = field(default_factory=dict, repr=False)
    cipher: Cipher = field(default=Cipher.AES_256_GCM, repr=False, compare=False)
    masters: MasterKeys | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        seen: set[bytes] = set()
        for family in FAMILIES:
            keys = self.family(family)
            if not keys:
                raise KeyRingUnusable(f"密钥环缺少 {family} 密钥")
            for version, key in keys.items():
                if version < 1:
                    raise KeyRingUnusable(f"{family} 密钥的版本号必须从 1 开始：{version}")
                if len(key) != KEY_BYTES:
                    raise KeyRingUnusable(f"{family} 密钥第 {version} 版应为 {KEY_BYTES} 字节，实为 {len(key)} 字节")
                if key in seen:
                    raise KeyRingUnusable(f"{family} 密钥第 {version} 版与另一把密钥相同")
                seen.add(key)
            # Frozen means frozen: a shared mapping could be changed behind the ring's back.
            object.__setattr__(self, family, MappingProxyType(dict(keys)))
            if family in self.writes and self.writes[family] not in keys:
                raise KeyRingUnusable(f"{family} 密钥没有第 {self.writes[family]} 版，不能用它写")
        object.__setattr__(self, "writes", MappingProxyType(dict(self.writes)))

    def family(self, family: Family) -> Mapping[int, bytes]:
        """All versions of one family."""
        keys: Mapping[int, bytes] = getattr(self, family)
        return keys

    def current(self, family: Family) -> int:
        """The version that writes today."""
        return self.writes.get(family) or max(self.family(family))

    def rotated(self, *families: Family, writing: bool = True) -> "KeyRing":
        """A ring with one more version in each of the families, which from then on writes, or so far only reads."""
        writes = {family: version for family, version in self.writes.items() if family not in families}
        if not writing:
            writes |= {family: self.current(family) for family in families}
        return KeyRing(
            data=_with_one_more(self.data) if "data" in families else self.data,
            index=_with_one_more(self.index) if "index" in families else self.index,
            token=_with_one_more(self.token) if "token" in families else self.token,
            writes=writes,
            cipher=self.cipher,
            masters=self.masters,
        )

    def let_newest_write(self) -> "KeyRing":
        """The ring in which the newest version of each family writes."""
        return KeyRing(data=self.data, index=self.index, token=self.token, cipher=self.cipher, masters=self.masters)

    def is_part_of(self, other: "KeyRing") -> bool:
        """Whether another ring holds each of these keys under its version."""
        return all(self.family(family).items() <= other.family(family).items() for family in FAMILIES)

    def to_json(self) -> str:
        """The ring as the text that `read_key_ring` understands. Secret."""
        document: dict[str, Mapping[str, object]] = {
            family: {
                str(version): base64.b64encode(key).decode() for version, key in sorted(self.family(family).items())
            }
            for family in FAMILIES
        }
        if self.writes:
            document["writes"] = dict(sorted(self.writes.items()))
        return json.dumps(document, indent=2)


class FiledKeyRing(KeyRing):
    """The ring in a file, read anew as soon as the file has been replaced: a process that runs for weeks rotates too.

    What cannot be read, or lacks a key that was there, is passed over: the ring of before goes on.

    Raises:
        KeyRingUnusable: as `load_key_ring`, when it is made.
    """

    _path: Path
    _read: tuple[tuple[int, int] | None, KeyRing]

    def __init__(self, path: Path, *, cipher: Cipher = Cipher.AES_256_GCM, masters: MasterKeys | None = None) -> None:
        # The parent's fields are properties here, so its constructor has nothing to set.
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_read", (_mark_of(path), load_key_ring(path)))
        object.__setattr__(self, "cipher", cipher)
        object.__setattr__(self, "masters", masters)

    @property
    def data(self) -> Mapping[int, bytes]:
        return self._newest().data

    @property
    def index(self) -> Mapping[int, bytes]:
        return self._newest().index

    @property
    def token(self) -> Mapping[int, bytes]:
        return self._newest().token

    @property
    def writes(self) -> Mapping[Family, int]:
        return self._newest().writes

    def _newest(self) -> KeyRing:
        mark, ring = self._read
        # A look at the file takes a microsecond, sealing one value ten.
        if (newest := _mark_of(self._path)) in (mark, None):
            return ring
        try:
            found = load_key_ring(self._path)
        except KeyRingUnusable:
            found = ring
        ring = found if ring.is_part_of(found) else ring
        object.__setattr__(self, "_read", (newest, ring))
        return ring


def _mark_of(path: Path) -> tuple[int, int] | None:
    """What differs when a file was replaced or its mode was changed; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _with_one_more(keys: Mapping[int, bytes]) -> dict[int, bytes]:
    return {**keys, max(keys) + 1: _new_key()}


def _new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def new_key_ring() -> KeyRing:
    """A fresh ring with version 1 of each family."""
    return KeyRing(data={1: _new_key()}, index={1: _new_key()}, token={1: _new_key()})


def read_key_ring(text: str) -> KeyRing:
    """The ring written in JSON: `{"data": {"1": base64}, "index": {"1": base64}, "token": {"1": base64}}`.

    With `"writes": {"data": 1}` beside them that version writes, though there is a newer one.

    Raises:
        KeyRingUnusable: the text is no such ring.
    """
    try:
        document = json.loads(text)
        families = {
            family: {int(version): base64.b64decode(key, validate=True) for version, key in document[family].items()}
            for family in FAMILIES
        }
        writes = {family: int(version) for family, version in document.get("writes", {}).items() if family in FAMILIES}
    except KeyError as error:
        raise KeyRingUnusable(f"密钥环缺少 {error.args[0]} 密钥") from None
    except (ValueError, TypeError, AttributeError, binascii.Error):
        # Without the cause: its message quotes the text.
        raise KeyRingUnusable("密钥环不是有效的 JSON，或密钥不是 base64") from None
    return KeyRing(data=families["data"], index=families["index"], token=families["token"], writes=writes)


def load_key_ring(path: Path) -> KeyRing:
    """The ring in a file that nobody but its owner may read.

    Raises:
        KeyRingUnusable: the file is missing, readable by others (mode other than 0600 or 0400), or no key ring.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            # Windows keeps no such modes; its files inherit the folder's access list.
            if sys.platform != "win32" and mode & 0o077:
                raise KeyRingUnusable(f"密钥文件 {path} 的权限是 {mode:04o}，其他用户也能读；请改为 0600")
            text = file.read()
    except OSError as error:
        raise KeyRingUnusable(f"读不到密钥文件 {path}：{error.strerror}") from error
    except UnicodeDecodeError:
        raise KeyRingUnusable(f"密钥文件 {path} 不是 UTF-8 文本") from None
    return read_key_ring(text)


def save_key_ring(ring: KeyRing, path: Path) -> None:
    """Write the ring to a file of mode 0600, whole or not at all.

    It is on the disk before this returns: what is sealed with a key that a power cut takes back is lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    _write_private(ring, scratch)
    scratch.replace(path)
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def load_or_create_key_ring(path: Path) -> KeyRing:
    """The ring in a file, made on first use. For trying the service out: production brings its keys.

    Two processes that start at once end up with the same ring.

    Raises:
        KeyRingUnusable: the file is there but cannot be used.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        _write_private(new_key_ring(), scratch)
        try:
            # A link fails where the name exists, which a rename would not: the first ring stays.
            os.link(scratch, path)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return load_key_ring(path)


def _write_private(ring: KeyRing, path: Path) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(ring.to_json())
        file.flush()
        os.fsync(file.fileno())


def keyed_digest(ring: KeyRing, value: str, *, purpose: str) -> str:
    """What is stored in a short code's place: `<key version>.<HMAC-SHA256>`, useless without the ring.

    Args:
        ring: the key ring.
        value: the code, already in its one spelling (`tokens.clean_code`).
        purpose: what the code is for and whose it is, such as `otp:<phone index>`; digests of other purposes differ.
    """
    version = ring.current("token")
    return f"{version}.{tag(ring.token[version], purpose, value)}"


def keyed_digests(ring: KeyRing, value: str, *, purpose: str) -> tuple[str, ...]:
    """The digest under every version of the token key, newest first: what a value bore before the last rotations too.

    The last one stays the same whatever is rotated, because no version is ever taken away.
    """
    return tuple(
        f"{version}.{tag(ring.token[version], purpose, value)}" for version in sorted(ring.token, reverse=True)
    )


def is_keyed_digest(ring: KeyRing, digest: str, value: str, *, purpose: str) -> bool:
    """Whether a stored digest belongs to this code; also for digests made before the last rotation."""
    version, _, expected = digest.partition(".")
    key = ring.token.get(int(version)) if version.isdecimal() else None
    return key is not None and hmac.compare_digest(tag(key, purpose, value).encode(), expected.encode())


def key_checks(ring: KeyRing) -> dict[tuple[str, int], str]:
    """By family and version a value that tells each key from any other and says nothing of it.

    It is an HMAC of a fixed text; under an AES key too, for the two algorithms share nothing.
    """
    return {
        (family, version): tag(key, "key_check", family, str(version))
        for family in FAMILIES
        for version, key in sorted(ring.family(family).items())
    }


def tag(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 (RFC 2104) over the parts, each with its length, in unpadded URL-safe base64: 43 characters."""
    message = join_parts(*parts)
    return base64.urlsafe_b64encode(hmac.digest(key, message, hashlib.sha256)).decode().rstrip("=")


def join_parts(*parts: str) -> bytes:
    """The parts as one byte string that no other parts give: each behind its length ("ab","c" is not "a","bc")."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(8, "big") + part for part in encoded)
