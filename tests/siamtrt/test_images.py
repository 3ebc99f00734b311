from __future__ import annotations

from siamtrt.images import images_of


def test_images_come_by_number_and_nothing_else_comes(tmp_path):
    for name in ("10.jpg", "2.jpg", "1.PNG", "groundtruth.txt", "frame_9.bmp", "frame_11.jpeg", "._10.jpg"):
        (tmp_path / name).touch()
    assert [path.name for path in images_of(tmp_path)] == ["1.PNG", "2.jpg", "10.jpg", "frame_9.bmp", "frame_11.jpeg"]
