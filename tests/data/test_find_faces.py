"""Faces are found, and cut out as squares inside the picture; videos give their frames."""

import sys

import numpy as np
import pytest
from matplotlib import cbook
from PIL import Image

from fer_jax.data import find_faces as module
from fer_jax.data.find_faces import (
    Box, centre_square, cut, find_faces, import_opencv, read_frames, square_around,
)
from fer_jax.data.read_photo import as_photo
from fer_jax.errors import UserError

# Eileen Collins by NASA, public domain: the face is about here.
ASTRONAUT = Box(177, 66, 97, 97)


@pytest.fixture(scope="module")
def cv2():
    return pytest.importorskip("cv2", reason="needs the extra `predict`")


@pytest.fixture(scope="module")
def astronaut():
    skimage = pytest.importorskip("skimage.data", reason="needs the extra `robustness`")
    return skimage.astronaut()


def assert_near(box, expected, *, pixels):
    assert max(abs(a - b) for a, b in zip(box, expected, strict=True)) <= pixels


@pytest.mark.usefixtures("cv2")
def test_admiral_hoppers_face_is_found():
    # A photo of the US Navy, public domain, that Matplotlib ships.
    with cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        pixels = np.asarray(image)
    (box,) = find_faces(as_photo(pixels))
    assert_near(box, (145, 99, 239, 239), pixels=15)
    # Sixteen of her, and each is found once.
    sheet = np.tile(pixels[::3, ::3], (4, 4, 1))
    assert len(find_faces(as_photo(sheet))) == 16


@pytest.mark.usefixtures("cv2")
def test_the_astronauts_face_is_found(astronaut):
    (box,) = find_faces(as_photo(astronaut))
    assert_near(box, ASTRONAUT, pixels=6)
    square = square_around(box, astronaut.shape)
    assert square.width == square.height == round(1.03 * box.width)
    assert cut(astronaut, square).shape == (square.height, square.width, 3)


@pytest.mark.usefixtures("cv2")
def test_a_photo_too_large_to_search_is_searched_smaller(astronaut):
    large = np.asarray(Image.fromarray(astronaut).resize((1792, 1792)))
    (box,) = find_faces(as_photo(large))
    assert_near(box, [3.5 * v for v in ASTRONAUT], pixels=25)


@pytest.mark.usefixtures("cv2")
def test_forty_faces_are_found(astronaut):
    face = astronaut[20:220, 130:330]
    sheet = np.tile(face, (5, 8, 1))
    boxes = find_faces(as_photo(sheet))
    assert len(boxes) == 40
    cells = {((b.top + b.height // 2) // 200, (b.left + b.width // 2) // 200) for b in boxes}
    assert len(cells) == 40


@pytest.mark.usefixtures("cv2")
@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 200, 3), (100, 100, 3)])
def test_where_there_is_no_face_none_is_found(shape):
    assert find_faces(as_photo(np.full(shape, 90, np.uint8))) == []


def test_squares_stay_inside_the_picture():
    assert square_around(Box(0, 0, 100, 100), (500, 400)) == Box(0, 0, 103, 103)
    assert square_around(Box(350, 450, 50, 50), (500, 400)) == Box(348, 448, 52, 52)
    # A face as large as the picture's shorter side has no margin.
    assert square_around(Box(0, 0, 90, 100), (100, 90)) == Box(0, 5, 90, 90)
    assert centre_square((100, 60, 3)) == Box(0, 20, 60, 60)
    assert centre_square((1, 1, 3)) == Box(0, 0, 1, 1)


def test_a_videos_frames_come_by_their_second(cv2, tmp_path):
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for i in range(25):
        writer.write(np.full((48, 64, 3), (10 * i, 0, 0), np.uint8))  # BGR
    writer.release()
    frames = list(read_frames(path, every=1.0))
    assert [second for second, _ in frames] == [0.0, 1.0, 2.0]
    # JPEG's loss; blue is the last of RGB.
    assert [abs(int(f[0, 0, 2]) - 100 * i) < 8 for i, (_, f) in enumerate(frames)] == [True] * 3
    assert frames[0][1].shape == (48, 64, 3)


@pytest.mark.usefixtures("cv2")
def test_a_video_without_frames_is_refused(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(200))
    with pytest.raises(UserError, match="no frame that can be read"):
        list(read_frames(tmp_path / "v.mp4", every=1.0))
    with pytest.raises(UserError, match="camera 77 gives no picture"):
        list(read_frames(77, every=1.0))


def test_without_opencv_the_extra_is_named(monkeypatch):
    module.import_opencv.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r"pip install 'fer_jax\[predict\]'.*--crop=center"):
        import_opencv()


def test_an_opencv_without_cascades_is_named(monkeypatch):
    module.import_opencv.cache_clear()
    monkeypatch.setitem(sys.modules, "cv2", type(sys)("cv2"))
    sys.modules["cv2"].__version__ = "5.0.0"
    with pytest.raises(UserError, match="OpenCV 5.0.0 has no cascades; install a version 4"):
        import_opencv()
    module.import_opencv.cache_clear()
