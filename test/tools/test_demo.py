"""The demo's page in a headless Chromium: uploads, a microphone, streams, questions, errors."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

PROGRAMS = ("chromium", "chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1100,1000",
    "--use-fake-ui-for-media-stream",  # the page may use the microphone without asking
    "--use-fake-device-for-media-stream",
)
PITCH = 440  # Hz, of what the microphone hears
SECONDS = 60  # that anything may take


def wait_for(condition):
    """The first true value of a function."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise TimeoutError(condition.__doc__ or "the page does not do what it should")


class Browser:
    """What is needed of the WebDriver protocol (W3C), without a client library."""

    def __init__(self, port, folder, microphone):
        self.root = f"http://127.0.0.1:{port}"
        folders = f"--user-data-dir={folder}", f"--use-file-for-fake-audio-capture={microphone}"
        options = {"args": [*FLAGS, *folders]}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        session = self.call("/session", {"capabilities": capabilities})
        self.root += f"/session/{session['sessionId']}"

    def call(self, path, data=None, method=None):
        body = None if data is None else json.dumps(data).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.root + path, body, headers, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=SECONDS) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.call("/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("/execute/sync", {"script": script, "args": arguments})

    def find(self, selector):
        query = {"using": "css selector", "value": selector}
        found = wait_for(lambda: self.call("/elements", query))
        return next(iter(found[0].values()))

    def type(self, selector, text):
        self.call(f"/element/{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        self.call(f"/element/{self.find(selector)}/click", {})

    def boxes(self):
        """Text of each box by its label."""
        return self.run(
            "const found = {};"
            "for (const label of document.querySelectorAll('label')) {"
            "  const box = label.querySelector('textarea');"
            "  if (box) found[label.querySelector('span').innerText.trim()] = box.value;"
            "} return found"
        )

    def text(self):
        return self.run("return document.body.innerText")

    def screenshot(self):
        return base64.b64decode(self.call("/screenshot"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(
                f"{program} is not installed (Debian: apt-get install {' '.join(PROGRAMS)})"
            )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL) as driver:
        try:
            wait_for(lambda: _answers(port))
            folder = tmp_path_factory.mktemp("chromium")
            browser = Browser(port, folder, write_tone(folder / "microphone.wav", 10, 48000))
            yield browser
            browser.call("", method="DELETE")
        finally:
            driver.terminate()


def _answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def write_tone(path, seconds, rate):
    """Write a file of so many seconds; returns its name."""
    times = np.arange(round(rate * seconds)) / rate
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * PITCH * times), rate)
    return str(path)


class FakeDemo:
    """Hears as many words as there are seconds.

    Attributes:
        pitch: the strongest frequency in what it listened to last, in Hz.
    """

    pitch = None
    has_posteriors = True

    def about(self):
        return "# A fake"

    def listen(self, path):
        samples, rate = soundfile.read(path)
        self.pitch = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
        words = ["one", "two", "three"][: round(len(samples) / rate)]
        if not words:
            raise ValueError("No words are heard in this.")
        figure = Figure()
        figure.subplots().plot([1, 2])
        rows = [["1.00", f"{word} 0.90", "", "", "", "", "0.30"] for word in words]
        return figure, " ".join(words), " ".join(words).upper(), rows

    def transcribe(self, path):
        yield "I hear"
        yield f"I hear {self.listen(path)[1]}"

    def answer(self, path, question):
        if path is None:
            raise ValueError("Record or upload some speech first.")
        yield f"{question} I know not"


@pytest.fixture
def demo():
    return FakeDemo()


@pytest.fixture
def page(browser, load_tool, demo):
    """The browser with the page."""
    pytest.importorskip("gradio", reason="gradio is not installed: make -C tools demo")
    page = load_tool("demo.py").build_page(demo)
    _, url, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    browser.open(url)
    browser.find("input[type=file]")
    yield browser
    page.close()


@pytest.fixture
def wav(tmp_path):
    """A function that writes a file of so many seconds."""

    def write(seconds):
        return write_tone(tmp_path / f"{seconds}.wav", seconds, 8000)

    return write


def test_speech_is_shown_and_asked_about(page, wav):
    page.type("input[type=file]", wav(2))
    heard = {
        "Words that the aligner guesses": "one two",
        "Nearest token of each vector": "ONE TWO",
        "What the LLM writes down": "I hear one two",
    }
    wait_for(lambda: heard.items() <= page.boxes().items())
    wait_for(lambda: "two 0.90" in page.text())
    size = "const i = document.querySelector('.plot img, [data-testid=matplotlib] img');"
    wait_for(lambda: page.run(f"{size} return i ? i.naturalWidth : 0") > 100)
    page.type("#question textarea", "What?")
    page.click("button.primary")
    wait_for(lambda: page.boxes().get("Answer") == "What? I know not")
    assert page.screenshot().startswith(b"\x89PNG")


def test_speech_is_recorded(page, demo):
    page.click("button[aria-label='Record audio']")
    page.click("button.record-button")
    wait_for(lambda: "0:01" in page.text())
    page.click("button.stop-button")
    wait_for(lambda: page.boxes().get("What the LLM writes down", "").startswith("I hear one"))
    assert demo.pitch == pytest.approx(PITCH, abs=2)


def test_errors_are_messages(page, wav):
    page.click("button.primary")
    wait_for(lambda: "Record or upload some speech first." in page.text())
    page.type("input[type=file]", wav(0.2))
    wait_for(lambda: "No words are heard in this." in page.text())
    assert "Traceback" not in page.text()
    assert not any(page.boxes().values())


def test_where_it_listens_by_default(load_tool, monkeypatch):
    demo, launched = load_tool("demo.py"), {}
    monkeypatch.setattr(demo, "Demo", lambda lm: lm)
    monkeypatch.setattr(demo.SpeechLM, "from_pretrained", lambda *args, **options: (args, options))
    monkeypatch.setattr(demo, "build_page", lambda model: FakePage(model, launched))
    demo.main(["--model", "exp/model.pth", "--encoder_model", "whisper-tiny.en", "--port", "7000"])
    options = {"encoder": "whisper", "encoder_conf": {"model": "whisper-tiny.en"}, "aligner": None}
    assert launched.pop("model") == (("exp/model.pth", "cpu"), options)
    assert launched == {"server_name": "127.0.0.1", "server_port": 7000}


class FakePage:
    def __init__(self, model, launched):
        self.launched = launched
        launched["model"] = model

    def launch(self, **options):
        self.launched.update(options)
