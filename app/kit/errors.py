"""Errors that are facts: each owns its HTTP status, a stable code for programs and a Chinese title for people.

The class attributes are shown to strangers; never put a name, a phone or an ID number into `detail` or a field's
message, both travel to clients and logs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


class Fault(Exception):
    """Something the service refuses or cannot do, told as a fact.

    Subclasses set `status`, `code` (snake_case, never changed once released) and `title` (Chinese). `detail` says what
    is the matter this time, in Chinese; further keyword arguments become members of the problem document (RFC 9457).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "fault"
    title: ClassVar[str] = "服务出错了"

    def __init__(self, detail: str | None = None, **members: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.members = members

    @property
    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to the answer."""
        return {}

    def problem(self) -> dict[str, Any]:
        """The members of the `application/problem+json` document (RFC 9457)."""
        document: dict[str, Any] = {
            "type": f"urn:jiujin:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail is not None:
            document["detail"] = self.detail
        # The five members above are the contract; a namesake among the extras must not replace one.
        return {**self.members, **document}


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field: where (`pay.min`, `rows.3.age`), which rule (`code`), what to do (Chinese)."""

    field: str
    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


class Invalid(Fault):
    """The input cannot be used; `fields` says where and why, all at once."""

    status = 422
    code = "invalid"
    title = "填写的内容有误"

    def __init__(self, detail: str | None = None, *, fields: Sequence[FieldFault] = (), **members: Any) -> None:
        super().__init__(detail, **members)
        self.fields = tuple(fields)

    def problem(self) -> dict[str, Any]:
        document = super().problem()
        if self.fields:
            document["errors"] = [field.to_dict() for field in self.fields]
        return document


class Unauthenticated(Fault):
    """Nobody is logged in, or the credentials are not good."""

    status = 401
    code = "unauthenticated"
    title = "请先登录"

    @property
    def headers(self) -> dict[str, str]:
        # RFC 9110 section 15.5.2: a 401 must name a scheme.
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(Fault):
    """Known, but not allowed to."""

    status = 403
    code = "forbidden"
    title = "没有权限"


class NotFound(Fault):
    """There is no such thing, or not for this reader."""

    status = 404
    code = "not_found"
    title = "没有找到"


class Conflict(Fault):
    """The state of things does not allow it: already done, changed meanwhile, key used with another body."""

    status = 409
    code = "conflict"
    title = "与现有情况冲突"


class Gone(Fault):
    """It was there and is no longer: closed, withdrawn, expired."""

    status = 410
    code = "gone"
    title = "已经失效"


class _Retriable(Fault):
    """A fault that passes; carries when to come back."""

    def __init__(self, detail: str | None = None, *, retry_after_s: int, **members: Any) -> None:
        super().__init__(detail, **members)
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after_s)}


class TooManyRequests(_Retriable):
    """More often than allowed; come back after `retry_after_s` seconds."""

    status = 429
    code = "too_many_requests"
    title = "操作太频繁，请稍后再试"


class Busy(_Retriable):
    """The service cannot take it right now, nothing was changed; come back after `retry_after_s` seconds."""

    status = 503
    code = "busy"
    title = "系统繁忙，请稍后再试"
