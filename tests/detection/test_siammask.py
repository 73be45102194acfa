import json

import numpy as np
import pytest

from aqa_pipeline import stores
from aqa_pipeline.detection import siammask
from aqa_pipeline.errors import AbsentError, InputError
from aqa_pipeline.frames import encode_jpeg
from aqa_pipeline.stages.detect_athlete import detect_athlete

FIRST, TURNED = [10, 20, 50, 20, 10, 90, 50, 90], [30, 10, 50, 30, 30, 50, 10, 30]  # the first is in another order
W, H = 320, 90  # of the frames, where the boxes are of 640 x 360


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"03_021": [FIRST, TURNED], "broken": [FIRST, TURNED[:6]], "short": [TURNED]}))
    return str(path)


def found(file, video_id="03_021", n=2, **options):
    pictures = [np.zeros((H, W, 3), np.uint8)] * n
    return list(siammask.build(file=file, **options).for_video(video_id, np.arange(n))(pictures))


def test_the_upright_box_around_the_tracked_one_in_pixels_of_the_frames(file):
    first, second = found(file)
    assert first.tolist() == [[5, 5, 25, 22.5, 1]]
    assert second.tolist() == [[5, 2.5, 25, 12.5, 1]]
    assert found(file, size=(W, H))[1].tolist() == [[10, 10, 50, 50, 1]]
    corners = siammask.build(file=file).corners("03_021", (W, H))
    assert corners.shape == (2, 4, 2)
    assert corners[1].tolist() == [[15, 2.5], [25, 7.5], [15, 12.5], [5, 7.5]]


def test_the_corners_stand_in_the_store(file, tmp_path):
    jpeg = encode_jpeg(np.zeros((H, W, 3), np.uint8)).ravel()
    with stores.write(tmp_path / "frames.h5", kind="frames", version=1, made_by={}) as store:
        for video_id in ("03.021", "03.022"):
            arrays = dict(jpeg=np.tile(jpeg, 2), offset=len(jpeg) * np.arange(3), frame_number=np.array([7, 8]))
            store.put(video_id, arrays, fps=25.0, width=W, height=H)
    options = {"file": file, "name": "{0:02d}_{1:03d}"}
    detect_athlete(
        tmp_path / "frames.h5", tmp_path / "out.h5", detector="siammask", athlete="largest_box", options=options
    )
    with stores.read(tmp_path / "out.h5", kind="boxes") as store:
        assert store.array("03.021", "boxes")[1].tolist() == [5, 2.5, 25, 12.5, 1]
        assert store.array("03.021", "corners")[1, 0].tolist() == [15, 2.5]
        assert store.failures["03.022"][0] == "absent"


def test_mistakes_are_named(file, tmp_path):
    with pytest.raises(AbsentError, match=r"boxes.json: no video '03.021', did you mean '03_021'"):
        found(file, "03.021")
    with pytest.raises(InputError, match="03_021: boxes of 2 frames, expected the 3 of the clip"):
        found(file, n=3)
    with pytest.raises(InputError, match="boxes of 'broken' are no even array"):
        found(file, "broken")
    with pytest.raises(InputError, match=r"name: found '\{2\}', which cannot be filled with \[3, 21\]"):
        found(file, name="{2}")
    with pytest.raises(InputError, match=r"size: found \[640\], expected width and height"):
        siammask.build(file=file, size=[640])
    with pytest.raises(InputError, match="belong to a video"):
        siammask.build(file=file)([])
    (tmp_path / "list.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="expected the boxes of videos by name"):
        siammask.build(file=str(tmp_path / "list.json"))
