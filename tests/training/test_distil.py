from __future__ import annotations

from pathlib import Path

import pytest
import torch

from networks.models import build
from siamtrt import UsageError
from training.distil import Answer, Teacher, distillation, joint_answer, told

CPU = torch.device("cpu")
CROPS = torch.zeros(1, 3, 127, 127), torch.zeros(1, 3, 255, 255)


@pytest.fixture
def teacher(tmp_path) -> Teacher:
    torch.manual_seed(0)
    torch.save(build("nanotrack_v3").state_dict(), tmp_path / "teacher.pth")
    return Teacher("nanotrack_v3", tmp_path / "teacher.pth", "siamrpn_nano", 25, CPU)


class Fixed(torch.nn.Module):
    """Answers with the same maps whatever it is shown."""

    def __init__(self, cls, loc):
        super().__init__()
        self.maps = cls, loc

    def forward(self, template, search):
        return self.maps


def one_hot_maps(row, column):
    cls = torch.zeros(1, 2, 15, 15)
    cls[0, 0] = 9.0
    cls[0, :, row, column] = torch.tensor([0.0, 9.0])
    loc = torch.zeros(1, 4, 15, 15)
    loc[0, :, row, column] = torch.tensor([10.0, 20.0, 30.0, 40.0])
    return cls, loc


def test_a_teachers_point_lies_on_the_students_cell_at_the_same_pixel(teacher):
    teacher._network = Fixed(*one_hot_maps(8, 5))  # 16 px below the middle, 32 px left of it
    answer = teacher.answer(*CROPS)
    best = int(answer.foreground[0].argmax())
    assert divmod(best, 25) == (12 + 2, 12 - 4)
    assert answer.foreground[0].max() > 0.99
    assert answer.foreground[0, 0, 0] < 0.01


def test_the_box_spans_the_sides_the_teacher_puts_out(teacher):
    teacher._network = Fixed(*one_hot_maps(8, 5))
    answer = teacher.answer(*CROPS)
    x, y = 127.5 - 32, 127.5 + 16
    torch.testing.assert_close(answer.boxes, torch.tensor([[x + 10, y + 10, 40.0, 60.0]]))
    assert answer.confidence.item() == pytest.approx(1, abs=1e-3)


def test_a_teacher_with_larger_crops_answers_in_the_students_pixels(tmp_path):
    torch.manual_seed(0)
    torch.save(build("lighttrack_mobile").state_dict(), tmp_path / "teacher.pth")
    teacher = Teacher("lighttrack_mobile", tmp_path / "teacher.pth", "siamrpn_nano", 25, CPU)
    seen = []

    class Watching(Fixed):
        def forward(self, template, search):
            seen.extend([template.shape[-1], search.shape[-1]])
            return self.maps

    cls = torch.zeros(1, 2, 16, 16)
    cls[0, 0] = 9.0
    cls[0, :, 10, 8] = torch.tensor([0.0, 9.0])  # two cells of 16 px below the middle of 256 px
    loc = torch.full((1, 4, 16, 16), 32.0)
    teacher._network = Watching(cls, loc)
    answer = teacher.answer(*CROPS)
    assert seen == [127, 256]
    torch.testing.assert_close(answer.boxes, torch.tensor([[128.0, 160.0, 64.0, 64.0]]) * 255 / 256)
    assert divmod(int(answer.foreground[0].argmax()), 25) == (12 + 4, 12)  # 32 px are four of the student's cells


def test_the_loss_falls_as_the_student_nears_the_teacher():
    foreground = torch.zeros(1, 25, 25)
    foreground[0, 10:13, 10:13] = 0.9
    margin = torch.logit(foreground.clamp(0.01, 0.99))
    near, far = torch.zeros(2, 1, 10, 25, 25)
    near[0, 5] = margin[0]
    near[0, 6:] = -9
    far[0, 5:] = 3
    assert distillation(near, foreground) < 0.05 * distillation(far, foreground)


def test_several_teachers_share_the_map_and_the_surest_gives_the_box():
    answers = [
        Answer(torch.full((2, 1, 1), value), torch.full((2, 4), value), torch.tensor([value, 0.5]))
        for value in (0.2, 0.6)
    ]
    joint = joint_answer(answers)
    assert joint.foreground.flatten().tolist() == pytest.approx([0.4, 0.4])
    assert joint.boxes[0].tolist() == pytest.approx([0.6] * 4)
    assert joint.confidence.tolist() == pytest.approx([0.6, 0.5])


def test_truth_stays_and_only_a_sure_teacher_stands_in_for_it():
    class Pairs:
        boxes, known = torch.zeros(4, 4), torch.tensor([True, False, False, False])
        positive = torch.tensor([True, True, True, False])

    answer = Answer(torch.zeros(4, 1, 1), torch.ones(4, 4), torch.tensor([0.9, 0.9, 0.3, 0.9]))
    boxes, known = told(Pairs(), answer)
    assert boxes[:, 0].tolist() == [0, 1, 1, 1]
    assert known.tolist() == [True, True, False, False]


def test_a_model_that_cannot_teach_is_refused(tmp_path):
    with pytest.raises(UsageError, match="siamrpn_lite0 cannot teach"):
        Teacher("siamrpn_lite0", Path("no"), "siamrpn_nano", 25, CPU)
