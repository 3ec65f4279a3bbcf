"""Slips as a file to print: one A4 page a slip, in the type that `domain.slips` counts its lines for."""

from collections.abc import Iterable
from html import escape

_HEAD = """<!doctype html>
<html lang="zh-CN">
<meta charset="utf-8">
<title>送岗纸条</title>
<style>
@page { size: A4; margin: 20mm; }
body { margin: 0; }
pre { font: 22pt/1.4 "Noto Sans Mono CJK SC", "SimSun", monospace; margin: 0; break-after: page; }
</style>
"""


def write_slip_pages(texts: Iterable[str]) -> str:
    """An HTML document that any browser prints, a page for each text."""
    return _HEAD + "".join(f"<pre>{escape(text)}</pre>\n" for text in texts)
