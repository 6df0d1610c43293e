"""Steps: in order, undone in reverse, errors in one line."""

from pathlib import Path

import pytest

from cli.errors import CliError
from cli.layout import Layout
from cli.machine import Machine, Step
from cli.reset import remove_all
from cli.steps import settings
from cli.steps.order import STEPS
from cli.steps.settings import remove_folder
from cli.up import bring_up


class Story:
    """Steps that write down what happened."""

    def __init__(self, tmp_path: Path, *, fresh: bool = True) -> None:
        self.happened: list[str] = []
        self.machine = Machine(layout=Layout(tmp_path), say=lambda text: None, fresh=fresh)

    def step(self, name: str, *, done: bool = False, fails: Exception | None = None, stuck: bool = False) -> Step:
        def do(machine: Machine) -> str:
            self.happened.append(f"do {name}")
            if fails is not None:
                raise fails
            return "done"

        def undo(machine: Machine) -> None:
            self.happened.append(f"undo {name}")
            if stuck:
                raise OSError(f"{name} is stuck")

        return Step(name, do, lambda machine: done, undo)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    story = Story(tmp_path)
    bring_up(story.machine, [story.step("a", done=True), story.step("b")])
    assert story.happened == ["do b"]


def test_a_failure_undoes_what_was_begun_in_reverse(tmp_path: Path) -> None:
    story = Story(tmp_path)
    steps = [
        story.step("a", done=True),
        story.step("b"),
        story.step("c", fails=OSError(28, "No space left on device", "/x")),
    ]
    with pytest.raises(CliError, match="the disk is full") as error:
        bring_up(story.machine, steps)
    assert story.happened == ["do b", "do c", "undo c", "undo b"]
    assert "\n" not in str(error.value)


def test_an_interrupted_up_is_undone_too(tmp_path: Path) -> None:
    story = Story(tmp_path)
    steps = [story.step("a", stuck=True), story.step("b")]

    def interrupt(machine: Machine) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_up(story.machine, [*steps, Step("c", interrupt)])
    assert story.happened == ["do a", "do b", "undo b", "undo a"]


def test_a_cluster_that_was_here_before_is_not_undone(tmp_path: Path) -> None:
    story = Story(tmp_path, fresh=False)
    with pytest.raises(CliError):
        bring_up(story.machine, [story.step("a"), story.step("b", fails=CliError("do b", "no", "Do not"))])
    assert story.happened == ["do a", "do b"]


def test_reset_goes_on_after_an_error_and_tells_all(tmp_path: Path) -> None:
    story = Story(tmp_path)
    errors = remove_all(story.machine, [story.step("a"), story.step("b", stuck=True), story.step("c", stuck=True)])
    assert story.happened == ["undo c", "undo b", "undo a"]
    said = [str(error).partition(". ")[0] for error in errors]
    assert said == ["cannot remove c: c is stuck", "cannot remove b: b is stuck"]


def test_titles_are_unique() -> None:
    titles = [step.title for step in STEPS]
    assert len(set(titles)) == len(titles)


def test_errors_are_one_line_with_a_remedy() -> None:
    assert str(CliError("do it", "one\n two.", "Try again")) == "cannot do it: one two. Try again"


def test_remove_folder_follows_no_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (tmp_path / "link").symlink_to(precious)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "link").symlink_to(precious)
    for name in ("link", "ours", "missing"):
        remove_folder(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious"]
    assert (precious / "file").exists()


def test_what_is_ours_goes_and_nothing_else(tmp_path: Path) -> None:
    machine = Machine(layout=Layout(tmp_path), say=lambda text: None)
    theirs = machine.layout.logind.with_name("theirs.conf")
    for path in (machine.layout.cluster, machine.layout.logind, theirs):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    settings.undo(machine)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()] == [
        "etc/systemd/logind.conf.d/theirs.conf"
    ]
