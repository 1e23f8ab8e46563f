"""A cluster's options: ``conf/slurm.conf`` and ``conf/queue.conf``, in the format of Kaldi.

command sbatch --export=PATH      what submits jobs
option mem=* --mem-per-cpu $0     what "--mem 4G" becomes; $0 is the value
option gpu=0 -p cpu               the same, of one value
default gpu=0                     as if "--gpu 0" was given
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping

from launcher.call import Call, check_number, stop


class ConfError(Exception):
    """A line that is wrong, or an option that no line tells about."""


class QueueConf:
    """A cluster's options.

    Raises:
        ConfError: there is no such file, or a line is wrong.
    """

    def __init__(self, path: str):
        self.path = path
        self.command: list[str] = []
        self.defaults: dict[str, str] = {}
        self._places: dict[str, str] = {}  # where an option was set, for messages
        self._options: dict[tuple[str, str], list[str]] = {}
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError as error:
            hint = "setup.sh of the template copies one into a recipe; or --config names it"
            raise ConfError(f"cannot read {path}: {error.strerror}; {hint}") from None
        for number, line in enumerate(lines, 1):
            self._read_line(line.partition("#")[0].strip(), f"{path}, line {number}")
        if not self.command:
            raise ConfError(f"{path}: no line 'command ...', which says what submits jobs")

    def _read_line(self, line: str, place: str) -> None:
        if not line:
            return
        kind, _, rest = line.partition(" ")
        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise ConfError(f"{place}: {error}: {line}") from None
        setting = re.fullmatch(r"([\w-]+)=(\S+)", words[0]) if words else None
        if kind == "command" and words:
            self.command = words
        elif kind == "option" and setting:
            self._options[_plain(setting[1]), setting[2]] = words[1:]
        elif kind == "default" and setting and len(words) == 1:
            self.defaults[_plain(setting[1])] = setting[2]
            self._places[_plain(setting[1])] = place
        else:
            forms = "'command ...', 'option NAME=VALUE ...' and 'default NAME=VALUE'"
            raise ConfError(f"{place}: only {forms} are known, not: {line}")

    def knows(self, name: str) -> bool:
        """Whether a line tells what to do with the option."""
        return any(name == option for option, _ in self._options)

    def arguments(self, options: Mapping[str, str]) -> list[str]:
        """What options become on the command line of the program that submits jobs.

        Raises:
            ConfError: of an option that no line tells about.
        """
        words = []
        for name, value in options.items():
            template = self._options.get((name, value), self._options.get((name, "*")))
            if template is None:
                place = f" ({self._places[name]})" if self.defaults.get(name) == value else ""
                raise ConfError(
                    f"--{name} {value}{place}: {self.path} has no line "
                    f"'option {name}={value} ...' or 'option {name}=* ...'"
                )
            words.extend(word.replace("$0", value) for word in template)
        return words


def _plain(name: str) -> str:
    return name.replace("-", "_")


def queue_command(program: str, call: Call, path: str, own: Collection[str]) -> list[str]:
    """The program that submits a call's jobs, with its arguments; a mistake ends the launcher.

    The defaults of the configuration become options of the call.

    Args:
        path: configuration, if the call does not name another.
        own: options that the launcher sees to itself.
    """
    try:
        conf = QueueConf(call.options.get("config", path))
        call.options = {**conf.defaults, **call.options}
        if conf.knows("name"):
            call.options.setdefault("name", _job_name(call))
        for name, value in call.options.items():
            check_number(program, name, value)
        options = {name: value for name, value in call.options.items() if name not in own}
        return [*conf.command, *conf.arguments(options)]
    except ConfError as error:
        stop(program, str(error))


def _job_name(call: Call) -> str:
    """A name made of the log's: "align" for align.JOB.log; schedulers want no other characters."""
    stem = os.path.splitext(os.path.basename(call.log))[0]
    if call.name:
        stem = stem.replace(call.name, "")
    return "ssr_" + re.sub(r"[^\w-]+", "_", stem, flags=re.ASCII).strip("_")
