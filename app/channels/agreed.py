"""Templates that were agreed with a provider: it holds the text, we send its code and the values."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgreedTemplate:
    """One of our templates as a provider knows it: its code there, and our names with theirs, in their order."""

    code: str
    fields: tuple[tuple[str, str], ...]

    def filled(self, values: Mapping[str, str]) -> list[tuple[str, str]]:
        """Their names with our values, in their order.

        Raises:
            LookupError: a value is missing.
        """
        return [(theirs, values[ours]) for ours, theirs in self.fields]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that a provider publishes: what is limited, to how much, and where that is said."""

    what: str
    figure: int
    source: str
