"""Single proofs: that an entry stands in the ledger (what a person takes home), that one ledger grew out of another."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from ledger_check.books import FORMAT
from ledger_check.entries import from_hex, is_placed, leaf_data, opens
from ledger_check.notes import Checkpoint, Unreadable, read_checkpoint, read_key
from ledger_check.trees import hash_leaf, proves_consistency, proves_inclusion


def check_receipt(receipt: dict[str, Any], *, checkpoints: Sequence[str] = (), keys: Sequence[str] = ()) -> str | None:
    """What is wrong with a receipt, in Chinese; None if it proves its entry.

    A checkpoint from outside is compared where it is of the same size as the receipt's own.

    Raises:
        Unreadable: it is no receipt.
    """
    if receipt.get("format") != FORMAT:
        raise Unreadable("凭条的版本太新")
    try:
        log = [read_key(key) for key in keys or receipt["keys"]]
        entry, commitment, position = receipt["entry"], receipt["commitment"], receipt["position"]
        if not opens(entry, commitment, receipt["key"]):
            return "内容和写下时的承诺对不上"
        leaf = hash_leaf(leaf_data(entry, commitment))
        if not is_placed(position, leaf, from_hex(receipt["signature"]), log):
            return "树叶的签名不对"
        checkpoint = read_checkpoint(receipt["checkpoint"], log)
        if not proves_inclusion(leaf, position, checkpoint.size, _hashes(receipt["proof"]), checkpoint.root):
            return "证明对不上检查点"
        kept = [read_checkpoint(note, log) for note in checkpoints]
    except (KeyError, TypeError, UnicodeEncodeError, RecursionError):
        raise Unreadable("凭条缺了内容") from None
    return _clash(checkpoint, kept)


def check_growth(document: dict[str, Any], *, checkpoints: Sequence[str] = (), keys: Sequence[str] = ()) -> str | None:
    """What is wrong with the proof that one checkpoint grew out of another, in Chinese; None if it did.

    Raises:
        Unreadable: it is no such proof.
    """
    if document.get("format") != FORMAT:
        raise Unreadable("证明的版本太新")
    try:
        log = [read_key(key) for key in keys or document["keys"]]
        first, second = (read_checkpoint(document[name], log) for name in ("first", "second"))
        proof = _hashes(document["proof"])
        kept = [read_checkpoint(note, log) for note in checkpoints]
    except (KeyError, TypeError):
        raise Unreadable("证明缺了内容") from None
    if not proves_consistency(first.size, second.size, first.root, second.root, proof):
        return "后一个检查点不是从前一个长出来的"
    return _clash(first, kept) or _clash(second, kept)


def _clash(checkpoint: Checkpoint, kept: Sequence[Checkpoint]) -> str | None:
    if any(each.size == checkpoint.size and each.root != checkpoint.root for each in kept):
        return "和另外保存的检查点对不上：这本台账签过两个样子"
    return None


def _hashes(told: Sequence[str]) -> list[bytes]:
    try:
        return [base64.b64decode(each, validate=True) for each in told]
    except (binascii.Error, ValueError):
        raise Unreadable("证明里的哈希读不懂") from None
