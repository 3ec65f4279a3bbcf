"""The application behind a real socket, and a small phone in Chromium that looks at it."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, ViewportSize

from app.main import create_app
from app.wiring import House
from tests.houses import postgresql_reference, sqlite_reference
from tests.web.streets import street

__all__ = ["postgresql_reference", "sqlite_reference", "street"]

PHONE: ViewportSize = {"width": 360, "height": 740}

# Whatever the policy stops or a script breaks is noted, to be asked for at the end of a test.
NOTE_VIOLATIONS = """
  window.__stopped = [];
  document.addEventListener("securitypolicyviolation", (event) => window.__stopped.push(event.violatedDirective));
"""


@pytest.fixture(scope="session")
def site(street: House) -> Iterator[str]:
    """The address of the running application, without a slash at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(street), lifespan="off", ws="none", log_config=None)
    server = uvicorn.Server(config)
    # The socket listens already: who comes before the server is up waits in the queue.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A phone of 360×740 with a fresh profile. Fails the test when a script broke or the policy stopped anything."""
    context = browser.new_context(base_url=site, viewport=PHONE, locale="zh-CN", timezone_id="Asia/Shanghai")
    context.add_init_script(NOTE_VIOLATIONS)
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on(
        "console", lambda message: broken.append(message.text) if "Content Security Policy" in message.text else None
    )
    yield page
    context.close()
    assert broken == []
