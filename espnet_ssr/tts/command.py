"""Any program that reads a text from a file and writes speech to another."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from espnet_ssr.data.format import DropUtterance, Recording, read_recording
from espnet_ssr.tts.programs import check_voice
from espnet_ssr.tts.voice import Reading, Refused, Speech, Voice, plain_words

TIMEOUT_SECONDS = 300
# What to do about a program that is not there.
INSTALL = dict.fromkeys(("espeak-ng", "flite"), ": run 'make -C tools fast-voices', see path.sh")


class Command(Voice):
    """The speaker of a command.

    Args:
        template: a program and its arguments, quoted as for a shell, though none is run. In them
            ``{text_file}`` (UTF-8, without a line break at its end) and ``{wav_file}`` (to be
            written, in any format and at any rate that libsndfile reads) are needed, ``{seed}`` is
            not: without it another seed gives the same speech.

    Its speech is taken to depend on nothing but the template: name a version there, if the program
    takes one, or begin a new cache with a new version.

    Raises:
        ValueError: a placeholder is missing, there is no such program, or it has no such voice.
    """

    sample_rate = 16000
    has_times = False

    def __init__(self, template: str):
        self.arguments = shlex.split(template)
        for name in ("{text_file}", "{wav_file}"):
            if not any(name in argument for argument in self.arguments):
                raise ValueError(f"{template.strip()}: no {name} among its arguments")
        program = self.arguments[0]
        if shutil.which(program) is None:
            raise ValueError(f"{program}: no such program{INSTALL.get(program, '')}")
        check_voice(self.arguments)
        self.uses_seed = any("{seed}" in argument for argument in self.arguments)
        self.version = f"command {shlex.join(self.arguments)}"
        digest = hashlib.sha256(self.version.encode()).hexdigest()[:8]
        self.name = f"{Path(program).stem}-{digest}"

    def read(self, text: str) -> Reading:
        plain_words(text)
        return Reading(text)

    def speak(self, reading: Reading, seed: int = 0) -> Speech:
        with tempfile.TemporaryDirectory() as folder:
            text_file, wav_file = Path(folder, "text"), Path(folder, "speech.wav")
            text_file.write_text(reading.text, encoding="utf-8")
            values = {"text_file": text_file, "wav_file": wav_file, "seed": seed}
            self._run(values)
            try:
                audio = read_recording(Recording(str(wav_file)), self.sample_rate)
            except DropUtterance as error:
                raise Refused("command_failed", f"{self.name}: {error.args[1]}") from None
        return Speech((np.clip(audio, -1, 1) * 32767).astype(np.int16), None)

    def _run(self, values: dict) -> None:
        arguments = list(self.arguments)
        for name, value in values.items():
            arguments = [argument.replace(f"{{{name}}}", str(value)) for argument in arguments]
        try:
            subprocess.run(
                arguments,
                check=True,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout).strip().splitlines()[-1:]
            message = f"{self.name}: exit status {error.returncode}: {''.join(said)}"
            raise Refused("command_failed", message) from None
        except subprocess.TimeoutExpired:
            message = f"{self.name}: not done after {TIMEOUT_SECONDS} s"
            raise Refused("command_failed", message) from None
