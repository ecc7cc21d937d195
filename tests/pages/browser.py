"""A headless Chromium that opens a page from a server of its own and says what happened."""

from __future__ import annotations

import base64
import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

__all__ = ["Browser", "Missing", "browser"]

_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# The contrast of every text with what lies behind it (WCAG 2.1, 1.4.3), and of every shape that means
# something with the page (1.4.11); the colours are what the browser computed.
_CONTRAST: Final = """
const luminance = c => {
  const f = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]);
};
const read = text => {
  const n = (text.match(/[\\d.]+/g) || []).map(Number);
  return n.length === 4 && n[3] === 0 ? null : n.slice(0, 3);
};
const ratio = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const colour = read(getComputedStyle(e).backgroundColor);
    if (colour) return colour;
  }
  return [255, 255, 255];
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  if (!text || ["TITLE", "DESC", "title", "desc", "STYLE"].includes(e.tagName)) continue;
  const style = getComputedStyle(e);
  const colour = read(e.ownerSVGElement ? style.fill : style.color);
  found.push(["text", text.slice(0, 40), ratio(colour, behind(e))]);
}
for (const e of document.querySelectorAll("svg rect, svg circle")) {
  const style = getComputedStyle(e);
  const kind = e.getAttribute("class");
  if (["window", "quiet", "unlooked"].includes(kind)) {
    for (const t of document.querySelectorAll("svg text")) {
      const colour = read(getComputedStyle(t).fill);
      found.push(["text on " + kind, t.textContent, ratio(colour, read(style.fill))]);
    }
    continue;
  }
  const edge = style.stroke === "none" ? read(style.fill) : read(style.stroke);
  found.push(["shape", kind, ratio(edge, behind(e))]);
}
return found;
"""


class Missing(Exception):
    """There is no Chromium to test with; the message says what is needed."""


@dataclass(frozen=True)
class Page:
    """A page as it was opened.

    Attributes:
        messages: what the browser wrote to its console.
        requests: the paths it asked the server for.
    """

    messages: list[str]
    requests: list[str]


class Browser:
    """Opens pages."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(
        self,
        html: str,
        *,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        media: str = "screen",
    ) -> Page:
        """Open a page in a window of a size and a theme."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        with _serving(html) as (address, requests):
            self.driver.get(address)
            self.run("return document.fonts.ready.then(() => 1)")
        logged = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return Page([str(entry["message"]) for entry in logged], requests)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def contrasts(self) -> list[tuple[str, str, float]]:
        """The contrast of every text and shape of the open page."""
        return [(kind, what, ratio) for kind, what, ratio in self.run(_CONTRAST)]

    def command(self, name: str, **arguments: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def tree(self) -> list[dict[str, Any]]:
        """What assistive technology is told: role and name of each node that is not ignored."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [
            {"role": n["role"]["value"], "name": n.get("name", {}).get("value", "")}
            for n in nodes
            if not n["ignored"]
        ]

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def printed(self) -> bytes:
        """The page as PDF on A4."""
        self.command("Emulation.setEmulatedMedia", media="", features=[])
        self.command("Emulation.clearDeviceMetricsOverride")
        made = self.command("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(made["data"])


@contextlib.contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A Chromium with a profile of its own under the directory.

    Raises:
        Missing: there is none on this machine.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        raise Missing(
            "needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={directory}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield Browser(started)
    finally:
        started.quit()


@contextlib.contextmanager
def _serving(html: str) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            body = html.encode() if self.path == "/" else b""
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/", requests
        finally:
            server.shutdown()
            thread.join()
