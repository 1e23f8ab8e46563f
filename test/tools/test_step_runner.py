"""Steps run once, go on after a failure, and are redone when their inputs change."""

import io
import sys

import pytest


class Recorder:
    """Makes steps that note when they run; those in ``broken`` fail."""

    def __init__(self, runner_module, folder):
        self.module = runner_module
        self.folder = folder
        self.ran = []
        self.broken = set()
        self.screen = io.StringIO()

    def run(self, **inputs):
        """Run steps with these names and inputs; the names of those that ran."""
        self.ran.clear()
        runner = self.module.StepRunner(self.folder / "s", self.folder / "log", self.screen)
        steps = [self.step(runner, name, value) for name, value in inputs.items()]
        with runner.locked():
            self.complete = runner.run(steps)
        return list(self.ran)

    def step(self, runner, name, inputs):
        def action():
            self.ran.append(name)
            code = f"for i in range(20): print('line', i)\nexit({3 * (name in self.broken)})"
            runner.call([sys.executable, "-c", code])

        return self.module.Step(name, f"title of {name}", inputs, action, f"advice on {name}")


@pytest.fixture
def recorder(load_tool, tmp_path):
    return Recorder(load_tool("installers/step_runner.py"), tmp_path)


def test_second_run_does_nothing(recorder):
    assert recorder.run(a="1", b="1") == ["a", "b"]
    assert recorder.run(a="1", b="1") == []
    assert recorder.complete


def test_changed_input_redoes_that_step_and_later_ones(recorder):
    recorder.run(a="1", b="1", c="1")
    assert recorder.run(a="1", b="2", c="1") == ["b", "c"]


def test_failure_stops_explains_and_the_next_run_goes_on(recorder):
    recorder.broken.add("b")
    assert recorder.run(a="1", b="1", c="1") == ["a", "b"]
    assert not recorder.complete
    screen = recorder.screen.getvalue()
    assert "step 'b' failed" in screen
    assert "advice on b" in screen
    assert "line 19" in screen
    assert "line 4\n" not in screen
    recorder.broken.clear()
    assert recorder.run(a="1", b="1", c="1") == ["b", "c"]
    assert recorder.complete


def test_redone_step_that_fails_leaves_no_later_stamp(recorder):
    recorder.run(a="1", b="1", c="1")
    recorder.broken.add("a")
    recorder.run(a="2", b="1", c="1")
    recorder.broken.clear()
    assert recorder.run(a="2", b="1", c="1") == ["a", "b", "c"]
