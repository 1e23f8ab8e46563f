"""Commands of known programs: their voices are checked before anything is spoken."""

import pytest

from espnet_ssr.tts.command import Command
from espnet_ssr.tts.programs import check_voice

ESPEAK = """#!/bin/sh
case "$*" in
    --voices=variant)
        echo "Pty Language       Age/Gender VoiceName          File                 Other Languages"
        echo " 5  variant         --/M      Adam               !v/adam              "
        echo " 5  variant         --/M      Mr_Serious         !v/Mr serious        " ;;
    *"-v en"*) ;;
    *) exit 1 ;;
esac
"""
FLITE = "#!/bin/sh\necho 'Voices available: kal slt '\n"


@pytest.fixture
def program(tmp_path):
    def make(name):
        path = tmp_path / name
        path.write_text({"espeak-ng": ESPEAK, "flite": FLITE}.get(name, "#!/bin/sh\n"))
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize("voice", ["en", "en-us+adam", "en-us+Mr serious"])
def test_voices_of_espeak(program, voice):
    check_voice([program("espeak-ng"), "-v", voice, "-f", "x"])


@pytest.mark.parametrize(
    ("voice", "message"),
    [("en-us+Adam", "no variant Adam, only Mr serious adam"), ("xx", "no voice xx")],
)
def test_misspelt_voice_of_espeak(program, voice, message):
    with pytest.raises(ValueError, match=f"espeak-ng has {message}"):
        check_voice([program("espeak-ng"), "-v", voice])


def test_voices_of_flite(program, tmp_path):
    flite = program("flite")
    for voice in ("slt", str(tmp_path / "my.flitevox")):
        check_voice([flite, "-voice", voice])
    check_voice([flite, "-f", "x"])
    with pytest.raises(ValueError, match="flite has no voice stl, only kal slt"):
        check_voice([flite, "-voice", "stl"])


def test_other_programs_are_not_checked(program):
    check_voice([program("my_tts"), "-voice", "any"])


def test_a_command_is_checked_when_it_is_loaded(program):
    with pytest.raises(ValueError, match="flite has no voice stl"):
        Command(f"{program('flite')} -voice stl -f {{text_file}} -o {{wav_file}}")


def test_missing_program_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="flite: no such program: run 'make -C tools fast-voices'"):
        Command("flite -f {text_file} -o {wav_file}")
