#!/usr/bin/env python3
"""A fake of Slurm's and Grid Engine's commands, which runs tasks on this machine; no scheduler.

Called by one of the commands' names. $FAKE_CLUSTER is a folder: ``submissions`` (what sbatch and
qsub were called with, a line each), ``ID.N/`` of a task with ``pid``, ``ended`` (once it has),
``state`` (what squeue says) and ``hidden`` (from qstat), and ``out_of_order``, with which they do
not answer.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

FOLDER = Path(os.environ["FAKE_CLUSTER"])
RUN = """\
echo $$ > "$1/pid"
sh "$0"
touch "$1/ended"
"""


def numbers_of(spans):
    """The numbers of "1,4-6%2"."""
    for span in spans.partition("%")[0].split(","):
        first, _, last = span.partition("-")
        yield from range(int(first), int(last or first) + 1)


def submit(spans, log, mark, variable):
    """Start the script on stdin as tasks; returns the id of the array."""
    script = sys.stdin.read()
    with open(FOLDER / "submissions", "a") as file:
        file.write(json.dumps([*sys.argv, os.getcwd()]) + "\n")
    array = len((FOLDER / "submissions").read_text().splitlines())
    for number in numbers_of(spans):
        task = FOLDER / f"{array}.{number}"
        task.mkdir()
        (task / "script").write_text(script)
        with open(log.replace("%%", "%").replace(mark, str(number)), "ab") as output:
            subprocess.Popen(
                ["sh", "-c", RUN, task / "script", task],
                env={**os.environ, variable: str(number), "CUDA_VISIBLE_DEVICES": f"task {number}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    return array


def tasks(arrays):
    """Folders of arrays' tasks by their numbers."""
    folders = [task for array in arrays for task in FOLDER.glob(f"{array}.*")]
    return {int(task.suffix[1:]): task for task in folders}


def cancel(arrays):
    for task in tasks(arrays).values():
        if not (task / "ended").exists():
            # As schedulers do: not only the script, but what it started in groups of its own.
            pid = int((task / "pid").read_text())
            for child in descendants(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGTERM)
            (task / "state").write_text("CANCELLED")
            (task / "ended").touch()


def descendants(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(d for child in children for d in descendants(int(child)))]


def state_of(task):
    if (task / "state").exists():
        return (task / "state").read_text()
    return "COMPLETED" if (task / "ended").exists() else "RUNNING"


def option(name):
    """The value of ``--name=value`` or ``name value`` on the command line."""
    for n, word in enumerate(sys.argv):
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
        if word == name:
            return sys.argv[n + 1]
    return None


def main(program):
    if program == "sbatch":
        if "--mem=999G" in sys.argv:
            sys.exit("sbatch: error: Memory specification can not be satisfied")
        print(submit(option("--array"), option("--output"), "%a", "SLURM_ARRAY_TASK_ID"))
    elif program == "qsub":
        spans = option("-t")
        print(f"{submit(spans, option('-o'), '$TASK_ID', 'SGE_TASK_ID')}.{spans}:1")
    elif (FOLDER / "out_of_order").exists():
        sys.exit(f"{program}: error: Unable to contact the controller")
    elif program in ("scancel", "qdel"):
        cancel(word for word in sys.argv[1:] if re.fullmatch(r"\d+", word))
    elif program == "squeue":
        for number, task in tasks(option("--jobs").split(",")).items():
            print(number, state_of(task))
    elif program == "qstat":
        print("<job_info><queue_info>")
        for task in FOLDER.glob("[0-9]*.*"):
            if not (task / "ended").exists() and not (task / "hidden").exists():
                array, number = task.name.split(".")
                print(f"<job_list><JB_job_number>{array}</JB_job_number><state>r</state>")
                print(f"<tasks>{number}</tasks></job_list>")
        print("</queue_info><job_info/></job_info>")


if __name__ == "__main__":
    main(Path(sys.argv[0]).name)
