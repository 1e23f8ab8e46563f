"""Speech encoders: 16 kHz audio in, frame features out. One file an encoder."""

from espnet_ssr.encoder.abs import AbsEncoder
from espnet_ssr.encoder.hf import HFEncoder
from espnet_ssr.encoder.tiny import TinyEncoder
from espnet_ssr.encoder.whisper import WhisperEncoder

ENCODERS: dict[str, type[AbsEncoder]] = {
    "whisper": WhisperEncoder,
    "hf": HFEncoder,
    "tiny": TinyEncoder,
}
"""Name used in configs -> class."""
