"""Models of scenes come back to the bit, refuse what was tampered with, and scenes that are not theirs."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic.cluster import KMeans, load_model
from kmosaic.errors import DataError, ModelFileError, OutputError
from kmosaic.models.image_model import ImageFormat, Model, save_model
from kmosaic.scenes.fit.scene_model import SceneModel, load_scene_model, save_scene_model
from kmosaic.scenes.scaling import Scaling
from kmosaic.scenes.scene import Band
from model_files import document_of, forge


def model(**changes: Any) -> SceneModel:
    given: dict[str, Any] = {
        "centers": np.array([[0.1, 1 / 3, -5e-324], [1.0, 2.0, 3.0]]),
        "scaling": Scaling("standard", (1.5, 0.1, 7.0), (2.0, 1 / 3, 1.0), (2,)),
        "bands": ("green", "red", "nir"),
        "sizes": np.array([7, 0]),
        "colours": np.array([[1, 2, 3], [255, 0, 9]], np.uint8),
        "class_names": ("wasser & söhne", ""),
        "inertia": 12.25,
        "n_iter": 3,
        "converged": True,
        "seed": 4,
        "trained_on": "scene.tif",
        "kmosaic_version": "0.1.0",
        "command": None,
    }
    return SceneModel(**{**given, **changes})


class FakeScene:
    """As much of a scene as a model looks at."""

    name = "other.tif"

    def __init__(self, *descriptions: str) -> None:
        self.bands = tuple(Band(text, "uint8", None) for text in descriptions)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_scene_model(model(), tmp_path / "m.kmosaic")
    return tmp_path / "m.kmosaic"


def test_what_was_saved_comes_back(tmp_path: Path) -> None:
    for changes in [{}, {"class_names": None, "command": "kmosaic segment a.tif"}]:
        save_scene_model(model(**changes), tmp_path / str(len(changes)))

        ours, theirs = model(**changes), load_scene_model(tmp_path / str(len(changes)))

        for field in fields(SceneModel):
            left, right = getattr(ours, field.name), getattr(theirs, field.name)
            if isinstance(left, np.ndarray):
                assert left.dtype == right.dtype
                assert left.tobytes() == right.tobytes()
            else:
                assert left == right
                assert type(left) is type(right)


def test_equal_models_make_equal_bytes(tmp_path: Path, saved: Path) -> None:
    save_scene_model(model(), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_an_existing_file_is_kept_unless_told(saved: Path) -> None:
    with pytest.raises(OutputError, match="exists"):
        save_scene_model(model(seed=5), saved)
    save_scene_model(model(seed=5), saved, overwrite=True)
    assert load_scene_model(saved).seed == 5


def test_every_truncation_and_every_flipped_byte_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for length in range(0, len(whole), 7):
        saved.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match="kmosaic segment"):
            load_scene_model(saved)
    for place in range(8, len(whole), 11):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        with pytest.raises(ModelFileError):
            load_scene_model(saved)


def test_fields_of_the_wrong_kind_are_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for changes in [
        {"bands": ["green", "red"]},
        {"bands": ["green", "red", "n\x1bir"]},
        {"bands": "abc"},
        {"class_names": ["one"]},
        {"class_names": ["one", 2]},
        {"inertia": -1.0},
        {"inertia": "12"},
        {"n_iter": 2.5},
        {"converged": 1},
        {"seed": -1},
        {"trained_on": 5},
        {"command": "a\nb"},
        {"scaling": None},
        {"scaling": {"method": "standard", "shift": [1.0], "factor": [1.0], "constant": []}},
        {"scaling": {"method": "none", "shift": [1.0] * 3, "factor": [0.0] * 3, "constant": []}},
        {"extra": 1},
        {"inertia": "<absent>"},
        {"kind": "forest"},
        {"kind": ["scene"]},
        {"schema_version": "3"},
    ]:
        saved.write_bytes(whole)
        forge(saved, changes)
        with pytest.raises(ModelFileError, match="damaged"):
            load_scene_model(saved)


def test_arrays_of_the_wrong_kind_are_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    for arrays in [
        {"centers": np.zeros((2, 3), np.float32)},
        {"centers": np.full((2, 3), np.nan)},
        {"centers": np.full((2, 3), 1e150)},
        {"sizes": np.full(2, 1 << 62)},
        {"centers": np.zeros((2, 2))},
        {"centers": np.zeros((0, 3))},
        {"sizes": np.array([1, -1])},
        {"sizes": np.array([1])},
        {"colours": np.zeros((2, 4), np.uint8)},
        {"colours": None},
        {"more": np.zeros(1)},
    ]:
        saved.write_bytes(whole)
        forge(saved, {}, arrays)
        with pytest.raises(ModelFileError, match="damaged"):
            load_scene_model(saved)


def test_a_newer_schema_asks_for_an_upgrade(saved: Path) -> None:
    forge(saved, {"schema_version": 4})
    with pytest.raises(ModelFileError, match="upgrade"):
        load_scene_model(saved)


def test_models_of_scenes_are_told_from_those_of_images(tmp_path: Path, saved: Path) -> None:
    assert document_of(saved)["kind"] == "scene"
    with pytest.raises(ModelFileError, match="scene.*`kmosaic segment SCENE"):
        load_model(saved)
    pixels = np.arange(12, dtype=np.uint8).reshape(4, 3)
    fitted = KMeans(2, random_state=0).fit(pixels)
    save_model(Model.from_fit(fitted, ImageFormat(1, 3, 1, "uint8", 255)), tmp_path / "images")
    with pytest.raises(ModelFileError, match="images.*`kmosaic predict`"):
        load_scene_model(tmp_path / "images")


def test_a_scene_of_the_same_bands_is_taken() -> None:
    for descriptions in [("green", "red", "nir"), ("", "", ""), ("green", "", "nir")]:
        model().check_scene(FakeScene(*descriptions))  # type: ignore[arg-type]


def test_a_scene_of_other_bands_is_refused() -> None:
    for descriptions, words in [
        (("green", "red"), "2 bands.*green.*red.*3 bands"),
        (("", "", "", ""), "4 bands.*3 bands.*green.*red.*nir"),
        (("nir", "green", "red"), "order.*--bands 2,3,1"),
        (("green", "red", "swir"), r"band 3 differs"),
    ]:
        with pytest.raises(DataError, match=words):
            model().check_scene(FakeScene(*descriptions))  # type: ignore[arg-type]


def test_a_model_without_descriptions_counts_bands_only() -> None:
    plain = replace(model(), bands=("", "", ""))
    plain.check_scene(FakeScene("a", "b", "c"))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="1 band.*3 bands"):
        plain.check_scene(FakeScene(""))  # type: ignore[arg-type]


def test_centres_are_known_in_the_bands_own_units() -> None:
    np.testing.assert_allclose(model().band_centers[1], [1.0 / 2 + 1.5, 2 * 3 + 0.1, 10.0])
