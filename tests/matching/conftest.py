"""What tests of the matching library share."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads take turns two hundred times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 200)
    yield
    sys.setswitchinterval(usual)
