"""A page's HTML as a test asks about it: what it says, where it leads, what its forms send."""

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = frozenset({"meta", "link", "input", "br", "img", "path"})
_SILENT = frozenset({"script", "style"})


@dataclass
class Element:
    """An element with its attributes and the text within it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list["Element"] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str:
        """An attribute, "" where it is absent."""
        return self.attributes.get(name, "")


class Document(HTMLParser):
    """A parsed page. Raises AssertionError where an element is not closed or closed twice."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[Element] = []
        self.scripts: list[str] = []
        self._open: list[Element] = []
        self.feed(html)
        assert not self._open, f"not closed: {[each.tag for each in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute stands twice in {tag}: {names}"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        for outer in self._open:
            outer.inside.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that closes itself."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        """Add text to every element that holds it."""
        if self._open and self._open[-1].tag in _SILENT:
            self.scripts.append(data)
            return
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of a tag with these attributes, in order."""
        return [
            each
            for each in self.elements
            if each.tag == tag and all(each.get(name) == value for name, value in attributes.items())
        ]

    def one(self, tag: str, **attributes: str) -> Element:
        """The only element of a tag with these attributes."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of <{tag}> {attributes}"
        return found[0]

    @property
    def text(self) -> str:
        """What the page says, with single spaces."""
        return re.sub(r"\s+", " ", self.one("body").text)

    @property
    def main(self) -> str:
        """What the page says between header and footer."""
        return re.sub(r"\s+", " ", self.one("main").text)

    @property
    def heading(self) -> str:
        """The one heading of the first level."""
        return self.one("h1").text.strip()

    @property
    def cards(self) -> list[Element]:
        """The postings of a list, in order."""
        return [each for each in self.all("li") if each.get("class") == "card"]

    def links(self) -> dict[str, str]:
        """Addresses by the words of the link."""
        return {re.sub(r"\s+", " ", each.text).strip(): each["href"] for each in self.all("a")}

    def buttons(self) -> dict[str, Element]:
        """Buttons by their words."""
        return {each.text.strip(): each for each in self.all("button")}

    @property
    def structured_data(self) -> list[dict[str, Any]]:
        """JSON-LD documents in the page."""
        return [json.loads(script) for script in self.scripts if script.strip()]
