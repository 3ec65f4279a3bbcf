"""The compiler: functions over arrays that run as machine code, free of the interpreter's lock.

Compiled code is kept beside its source (or in the user's cache where that folder cannot be written), so a process
compiles only what no process has compiled before. It is made again when its own file changes, not when a constant of
another file does: a compiled function takes what may change as an argument.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, made at its first call for each kind of arguments, and kept.

    Division by zero gives infinity or NaN, as in NumPy.
    """
    return cast("F", njit(cache=True, nogil=True, error_model="numpy")(function))


def lean(function: F) -> F:
    """As `compiled`, for loops over millions of rows: such a function makes no array.

    It then counts no references to those that it is given, which otherwise takes longer than all the rest.
    """
    return cast("F", njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function))  # type: ignore[call-overload]  # published for Numba's own use


def inlined(function: F) -> F:
    """A piece that is set into the compiled functions which call it: a call with its arguments costs fifty rows."""
    return cast("F", njit(nogil=True, error_model="numpy", inline="always")(function))
