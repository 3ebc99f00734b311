from __future__ import annotations

import cv2
import numpy as np

from siamtrt.libraries.images import images_of, read_image


def test_images_come_by_number_and_nothing_else_comes(tmp_path):
    for name in ("10.jpg", "2.jpg", "1.PNG", "groundtruth.txt", "frame_9.bmp", "frame_11.jpeg", "._10.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in images_of(tmp_path)] == ["1.PNG", "2.jpg", "10.jpg", "frame_9.bmp", "frame_11.jpeg"]


def test_an_image_that_cannot_be_read_is_none(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 6), 7, np.uint8))
    assert read_image(tmp_path / "grey.png").tolist() == np.full((4, 6, 3), 7).tolist()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "huge.pgm").write_bytes(b"P5\n40000 40000\n255\n")
    for name in ("text.png", "huge.pgm", "absent.png"):
        assert read_image(tmp_path / name) is None
