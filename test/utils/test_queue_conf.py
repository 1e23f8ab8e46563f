"""conf/slurm.conf and conf/queue.conf: the format of Kaldi's scripts, and mistakes in it."""

from pathlib import Path

import pytest
from launcher.call import parse_call
from launcher.queue_conf import ConfError, QueueConf, queue_command

TEMPLATE = Path(__file__).parents[2] / "egs2" / "TEMPLATE" / "ssr1" / "conf"
# As ESPnet's recipes have it.
CONF = """\
# Default configuration
command sbatch --export=PATH
option name=* --job-name $0
option time=* --time $0
option mem=* --mem-per-cpu $0
option mem=0
option num_threads=* --cpus-per-task $0
option num_threads=1 --cpus-per-task 1
default gpu=0
option gpu=0 -p cpu
option gpu=* -p gpu --gres=gpu:$0 -c $0  # Recommend allocating more CPU than the number of GPU

# resource limiter
default gpu-limit=200
option gpu_limit=*
"""


@pytest.fixture
def command(tmp_path):
    """A function from a configuration and a launcher's arguments to what submits jobs."""

    def command(conf, *words):
        (tmp_path / "slurm.conf").write_text(conf)
        call = parse_call("slurm.py", "", [*words, "JOB=1:2", "exp/log/a b.JOB.log", "true"], None)
        path = str(tmp_path / "slurm.conf")
        return queue_command("slurm.py", call, path, own=("config", "retries", "max_jobs_run"))

    return command


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "-p cpu --job-name ssr_a_b"),
        (["--gpu", "2"], "-p gpu --gres=gpu:2 -c 2 --job-name ssr_a_b"),
        (["--mem", "0", "--name", "x", "--max-jobs-run", "3"], "-p cpu --job-name x"),
        (["--mem=4G", "--time", "9"], "-p cpu --mem-per-cpu 4G --time 9 --job-name ssr_a_b"),
        (["--num-threads", "4", "--retries", "0"], "-p cpu --cpus-per-task 4 --job-name ssr_a_b"),
    ],
)  # fmt: skip
def test_options_of_espnet(command, words, expected):
    assert command(CONF, *words) == ["sbatch", "--export=PATH", *expected.split()]


def test_a_value_is_one_word(command):
    conf = "command 'my sbatch'\noption comment=* --comment \"of $0\"\n"
    assert command(conf, "--comment", "a; b '") == ["my sbatch", "--comment", "of a; b '"]


@pytest.mark.parametrize(
    ("conf", "words", "message"),
    [
        (CONF, ["--qos", "high"], "--qos high: {path} has no line 'option qos=high ...' or"),
        (CONF + "default qos=low\n", [], "--qos low ({path}, line 16): {path} has no line"),
        (CONF + "default gpu=two\n", [], "--gpu must be 0 or more, not two"),
        (CONF + "options gpu=3\n", [], "{path}, line 16: only 'command ...', 'option NAME=VALUE"),
        (CONF + "option gpu 3\n", [], "{path}, line 16: only "),
        (CONF + "default gpu=3 4\n", [], "{path}, line 16: only "),
        (CONF + "option x=* 'y\n", [], "{path}, line 16: No closing quotation: option x=* 'y"),
        ("option gpu=* $0\n", [], "{path}: no line 'command ...'"),
    ],
)
def test_mistakes(command, tmp_path, capsys, conf, words, message):
    with pytest.raises(SystemExit) as error:
        command(conf, *words)
    assert error.value.code == 2
    path = tmp_path / "slurm.conf"
    assert f"slurm.py: error: {message.format(path=path)}" in capsys.readouterr().err


def test_no_such_file(tmp_path):
    with pytest.raises(ConfError, match="cannot read .*: No such file .* --config names it"):
        QueueConf(str(tmp_path / "none"))


@pytest.mark.parametrize("name", ["slurm.conf", "queue.conf"])
def test_of_the_template(name):
    conf = QueueConf(str(TEMPLATE / name))
    assert conf.defaults == {"gpu": "0", "retries": "1"}
    options = ("name", "time", "mem", "num_threads", "num_nodes", "gpu")
    words = conf.arguments(dict.fromkeys(options, "7"))
    assert sum("7" in word for word in words) >= len(options)
