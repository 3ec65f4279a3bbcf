"""Faults as RFC 9457 problem documents, and every fault of the service with a code of its own."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import app
from app.kit.errors import Busy, Conflict, Fault, FieldFault, Invalid, NotFound, TooManyRequests, Unauthenticated


def all_faults() -> Iterator[type[Fault]]:
    """Every subclass of Fault in the service, public ones only."""
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting = [Fault]
    while waiting:
        fault = waiting.pop()
        waiting += fault.__subclasses__()
        if fault.__module__.startswith("app.") and not fault.__name__.startswith("_"):
            yield fault


def test_a_fault_tells_what_it_is() -> None:
    assert NotFound("没有编号为 7 的岗位", posting=7).problem() == {
        "type": "urn:jiujin:problem:not_found",
        "title": "没有找到",
        "status": 404,
        "code": "not_found",
        "detail": "没有编号为 7 的岗位",
        "posting": 7,
    }


def test_without_a_detail_the_document_has_none_and_the_message_is_the_title() -> None:
    assert "detail" not in Conflict().problem()
    assert str(Conflict()) == "与现有情况冲突"
    assert str(Conflict("已经投递过")) == "已经投递过"


def test_an_extra_member_cannot_replace_the_status() -> None:
    assert Conflict(status=200, code="ok").problem()["status"] == 409


def test_invalid_input_names_every_field_at_once() -> None:
    fault = Invalid(
        fields=[FieldFault("age", "too_low", "年龄要满16周岁"), FieldFault("home", "missing", "请选择住址")]
    )
    assert fault.problem()["errors"] == [
        {"field": "age", "code": "too_low", "message": "年龄要满16周岁"},
        {"field": "home", "code": "missing", "message": "请选择住址"},
    ]
    assert "errors" not in Invalid().problem()


@pytest.mark.parametrize("fault", [TooManyRequests(retry_after_s=30), Busy(retry_after_s=30)])
def test_a_fault_that_passes_says_when_to_come_back(fault: Fault) -> None:
    assert fault.headers == {"Retry-After": "30"}


def test_a_401_names_its_scheme() -> None:
    assert Unauthenticated().headers["WWW-Authenticate"]


def test_every_fault_has_a_stable_code_of_its_own_a_status_and_a_chinese_title() -> None:
    codes: dict[str, type[Fault]] = {}
    for fault in all_faults():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", fault.code), fault
        assert codes.setdefault(fault.code, fault) is fault, f"{fault} has the code of {codes[fault.code]}"
        assert 400 <= fault.status < 600, fault
        assert re.search(r"[\u4e00-\u9fff]", fault.title), fault
    assert "not_found" in codes
