"""The lesson as frames, as an animation, and as words for who speaks."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kmosaic.errors import OutputError
from kmosaic.explain import (
    Lesson,
    check_animation_name,
    frames,
    speaker_notes,
    write_animation,
    write_frames,
)
from kmosaic.explain.drawing import HEIGHT, WIDTH


def test_every_part_has_frames_with_names_of_their_own(lesson: Lesson):
    found = frames(lesson)
    names = [frame.name for frame in found]
    assert len(set(names)) == len(names)
    assert names == sorted(names)
    assert {frame.part for frame in found} == {1, 2, 3, 4, 5, 6}
    assert sum(frame.last for frame in found) == 6
    assert len([frame for frame in found if frame.part == 1]) == len(lesson.two_steps.traces[0].steps)


def test_frames_of_a_part_are_pictures_of_one_size_that_differ(lesson: Lesson):
    for part in [1, 2, 3, 4, 5, 6]:
        drawn = frames(lesson, [part])
        chosen = {
            drawn[0].name: drawn[0],
            drawn[len(drawn) // 2].name: drawn[len(drawn) // 2],
            drawn[-1].name: drawn[-1],
        }
        seen = set()
        for frame in chosen.values():
            with Image.open(io.BytesIO(frame.png)) as image:
                assert image.size == (WIDTH, HEIGHT)
                pixels = np.asarray(image.convert("RGB"))
            assert len(np.unique(pixels @ [1, 256, 65536])) > 20
            seen.add(pixels.tobytes())
        assert len(seen) == len(chosen)


def test_points_without_a_cluster_are_grey_on_slides(lesson: Lesson):
    with Image.open(io.BytesIO(frames(lesson, [1])[0].png)) as image:
        left = np.asarray(image.convert("RGB")).astype(int)[120:470, 80:450].reshape(-1, 3)
    strong = left[left.max(axis=1) - left.min(axis=1) > 60]
    green = strong[(strong[:, 1] > strong[:, 0] + 30) & (strong[:, 1] > strong[:, 2] + 10)]
    assert len(green) == 0
    assert "grey" in speaker_notes(lesson, frames(lesson, [1]))


def test_unknown_parts_are_refused(lesson: Lesson):
    with pytest.raises(ValueError, match="parts=7.*1.*6"):
        frames(lesson, [1, 7])


def test_frames_and_notes_are_written_once(lesson: Lesson, tmp_path: Path):
    drawn = frames(lesson, [4])
    told = []
    written = write_frames(tmp_path / "slides", drawn, lesson, on_frame=lambda *at: told.append(at))
    assert [path.name for path in written] == [*(f"{frame.name}.png" for frame in drawn), "speaker-notes.md"]
    assert written[0].read_bytes() == drawn[0].png
    assert told == [(done, len(drawn)) for done in range(1, len(drawn) + 1)]
    with pytest.raises(OutputError, match="exists"):
        write_frames(tmp_path / "slides", drawn, lesson)
    assert write_frames(tmp_path / "slides", drawn, lesson, overwrite=True) == written


@pytest.mark.parametrize("there", [False, True])
def test_frames_that_are_interrupted_leave_nothing(lesson: Lesson, tmp_path: Path, there: bool):
    place = tmp_path / "slides"
    if there:
        place.mkdir()
        (place / "mine.txt").write_text("mine")

    def stop(done: int, total: int) -> None:  # noqa: ARG001
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_frames(place, frames(lesson, [4]), lesson, on_frame=stop)
    assert [path.name for path in tmp_path.rglob("*")] == (["slides", "mine.txt"] if there else [])


def test_frames_need_a_folder(lesson: Lesson, tmp_path: Path):
    with pytest.raises(OutputError, match="folder"):
        write_frames(tmp_path / "missing" / "slides", frames(lesson, [4]), lesson)


def test_animations_hold_every_frame(lesson: Lesson, tmp_path: Path):
    drawn = frames(lesson, [4])
    for name in ["lesson.gif", "lesson.png", "lesson.apng"]:
        path = write_animation(tmp_path / name, drawn)
        with Image.open(path) as animation:
            assert animation.n_frames == len(drawn)
            assert animation.size == (WIDTH, HEIGHT)
            assert animation.info.get("loop") == 0
            for number, frame in enumerate(drawn):
                animation.seek(number)
                assert animation.info["duration"] == (2500 if frame.last else 1000)
                shown = np.asarray(animation.convert("RGB")).astype(int)
                with Image.open(io.BytesIO(frame.png)) as image:
                    wanted = np.asarray(image.convert("RGB")).astype(int)
                assert np.abs(shown - wanted).mean() < 2
        assert path.read_bytes().startswith(b"GIF8" if name.endswith("gif") else b"\x89PNG")


def test_other_animations_are_refused(tmp_path: Path):
    with pytest.raises(OutputError, match="lesson.mp4.*.gif.*.png.*.apng"):
        check_animation_name(tmp_path / "lesson.mp4")


def test_notes_say_the_numbers_that_slides_show(lesson: Lesson):
    notes = speaker_notes(lesson, frames(lesson))
    assert notes.count("\n## ") == 6
    assert re.search(f"{lesson.starts.lucky.inertia:.1f}.*{lesson.starts.unlucky.inertia:.1f}", notes)
    assert re.search(f"misfit.* {lesson.sizes.misfit[3].mean():.1f} .*three", notes)
    for summary in lesson.pictures.summaries:
        assert re.search(f"{summary.accuracy:.1%}.* {summary.n_clusters} clusters", notes)
    some = speaker_notes(lesson, frames(lesson, [3]))
    assert some.count("\n## ") == 1
    assert "Slides 3-empty-cluster-01 to 3-empty-cluster-" in some
