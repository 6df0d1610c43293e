"""What is not in our folders: the network library's cache, which others may have, too."""

from pathlib import Path

import pytest

from cli import outside
from cli.layout import Layout


@pytest.mark.parametrize("before", [True, False])
def test_results_of_ours_go_and_a_folder_that_was_there_stays(tmp_path: Path, before: bool) -> None:
    layout = Layout(tmp_path)
    layout.lib.mkdir(parents=True)
    folder = tmp_path / outside.CNI_RESULTS
    if before:
        folder.mkdir(parents=True)
    outside.note(layout)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pods-1-eth0").write_text(f'{{"netns": "{layout.containerd_state}/netns/1"}}')
    outside.remove_cni_results(layout)
    assert folder.exists() is folder.parent.exists() is before
    assert not (folder / "pods-1-eth0").exists()


def test_results_of_others_stay(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.lib.mkdir(parents=True)
    outside.note(layout)
    folder = tmp_path / outside.CNI_RESULTS
    folder.mkdir(parents=True)
    (folder / "theirs").write_text("{}")
    outside.remove_cni_results(layout)
    assert (folder / "theirs").read_text() == "{}"


def test_where_nothing_of_ours_was_nothing_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / outside.CNI_RESULTS
    folder.mkdir(parents=True)
    outside.remove_cni_results(Layout(tmp_path))
    assert folder.exists()
