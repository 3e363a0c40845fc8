"""Headless Chromium, as far as tests of a page need it; with nothing but the standard library."""

import json
import os
import subprocess
import time
from select import select

from tests.conftest import PATIENCE_S

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-dev-shm-usage --disable-background-networking --disable-component-update
    --disable-sync --remote-debugging-pipe"""


class Browser:
    """Chromium, spoken to by the DevTools protocol over two pipes, its descriptors 3 and 4."""

    def __init__(self, program, profile):
        theirs_in, self.to = os.pipe()
        self.of, theirs_out = os.pipe()
        command = ["bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "bash", program]
        self.process = subprocess.Popen(
            [*command, *FLAGS.split(), f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.events, self.received, self.count, self.session = [], b"", 0, None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """The answer to a command; events that come before it are kept."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self.count:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def _receive(self):
        while b"\0" not in self.received:
            assert select([self.of], [], [], 20)[0], "Chromium does not answer"
            chunk = os.read(self.of, 1 << 20)
            assert chunk, "Chromium ended"
            self.received += chunk
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    def run(self, code):
        """The value of an expression on the page."""
        answer = self.ask("Runtime.evaluate", expression=code, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path, width=1200):
        """Load a page at this width, of a phone if it is narrow."""
        self.events.clear()
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while self.run("document.readyState + location.href") != f"complete{path.as_uri()}":
            assert time.monotonic() < deadline, "the page does not load"
            time.sleep(0.02)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, text="\r",
                     windowsVirtualKeyCode=13)  # fmt: skip

    def seen(self, *methods):
        return [event["params"] for event in self.events if event.get("method") in methods]

    def close(self):
        os.close(self.to)
        self.process.terminate()
        self.process.wait(20)
        os.close(self.of)
