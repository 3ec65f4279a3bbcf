"""How long a text message is: 70 characters in one part with the signature, else 67 a part.

A character is a UTF-16 code unit, which is what goes over the air (UCS-2 as carriers use it): 汉 is one, 😀 is two.
Source: the length rules (短信计费规则) of both gateways spoken here.
"""

ONE_PART = 70
MANY_PARTS = 67


def count_units(text: str) -> int:
    """UTF-16 code units."""
    # Half an emoji counts as the one unit that it is.
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def count_parts(text: str) -> int:
    """Parts that are charged: one up to 70 units, else one for every 67 begun. An empty text has none."""
    units = count_units(text)
    if units <= ONE_PART:
        return int(units > 0)
    return -(-units // MANY_PARTS)


def cut(text: str, longest: int) -> str:
    """The text in at most `longest` units; what is cut ends in …, and no character is cut in two.

    Raises:
        ValueError: `longest` is below 1.
    """
    if longest < 1:
        raise ValueError("a text of no length cannot be told")
    if count_units(text) <= longest:
        return text
    kept, units = [], 1  # the …
    for sign in text:
        units += count_units(sign)
        if units > longest:
            break
        kept.append(sign)
    # What joins or follows another sign makes no sense at the end.
    return "".join(kept).rstrip(" ，、（(·-/\u200d") + "…"
