"""The key ring: versioned keys for encrypting columns, for searching them blindly and for digests of short codes.

The newest version of a family does the work, the older ones only read what they once wrote: rotating adds a version and
never takes one away. Losing the file loses every name and phone in the database, so it is backed up apart from it.
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
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

KEY_BYTES = 32  # AES-256; for HMAC-SHA256 as long as its output (RFC 2104 section 3)

Family = Literal["data", "index", "token"]
_FAMILIES: tuple[Family, ...] = get_args(Family)


class KeyRingUnusable(Exception):
    """The key ring cannot be used, and why. Raised at start-up; the message never holds a key."""


@dataclass(frozen=True)
class KeyRing:
    """Three families of keys, each a mapping from version (1, 2, …) to 32 bytes.

    Attributes:
        data: AES-256-GCM keys for encrypted columns.
        index: HMAC-SHA256 keys for blind indexes.
        token: HMAC-SHA256 keys for digests of short codes.

    Raises:
        KeyRingUnusable: a family is empty, a version is not positive, a key is not 32 bytes or stands twice.
    """

    # Left out of repr(): a key ring that is printed by mistake must not give its keys away.
    data: Mapping[int, bytes] = field(repr=False)
    index: Mapping[int, bytes] = field(repr=False)
    token: Mapping[int, bytes] = field(repr=False)

    def __post_init__(self) -> None:
        seen: set[bytes] = set()
        for family in _FAMILIES:
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

    def family(self, family: Family) -> Mapping[int, bytes]:
        """All versions of one family."""
        return {"data": self.data, "index": self.index, "token": self.token}[family]

    def current(self, family: Family) -> int:
        """The version that writes today."""
        return max(self.family(family))

    def rotated(self, *families: Family) -> "KeyRing":
        """A ring with one more version in each of the families, which from then on writes."""
        return replace(
            self,
            **{family: {**self.family(family), self.current(family) + 1: _new_key()} for family in families},
        )

    def to_json(self) -> str:
        """The ring as the text that `read_key_ring` understands. Secret."""
        return json.dumps(
            {
                family: {
                    str(version): base64.b64encode(key).decode() for version, key in sorted(self.family(family).items())
                }
                for family in _FAMILIES
            },
            indent=2,
        )


def _new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def new_key_ring() -> KeyRing:
    """A fresh ring with version 1 of each family."""
    return KeyRing(data={1: _new_key()}, index={1: _new_key()}, token={1: _new_key()})


def read_key_ring(text: str) -> KeyRing:
    """The ring written in JSON: `{"data": {"1": base64}, "index": {"1": base64}, "token": {"1": base64}}`.

    Raises:
        KeyRingUnusable: the text is no such ring.
    """
    try:
        document = json.loads(text)
        families = {
            family: {int(version): base64.b64decode(key, validate=True) for version, key in document[family].items()}
            for family in _FAMILIES
        }
    except KeyError as error:
        raise KeyRingUnusable(f"密钥环缺少 {error.args[0]} 密钥") from None
    except (ValueError, TypeError, AttributeError, binascii.Error):
        # Without the cause: its message quotes the text.
        raise KeyRingUnusable("密钥环不是有效的 JSON，或密钥不是 base64") from None
    return KeyRing(**families)


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
    """Write the ring to a file of mode 0600, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    _write_private(ring, scratch)
    scratch.replace(path)


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
        for family in _FAMILIES
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
