from __future__ import annotations

import cv2
import numpy as np
import pytest

from runtime.crop import crop
from runtime.onnxruntime.engine import Engine
from runtime.tensorrt.refit_proof import RefitProof
from siamtrt import ModelCard, ParityError, Precision
from siamtrt.geometry import Place, Square, template_square


@pytest.fixture(scope="module")
def answer(tiny_onnx):
    """Kernels, features, and the right maps of them."""
    card = ModelCard.load(tiny_onnx)
    rng = np.random.default_rng(0)
    kernels = {kernel.name: rng.random(kernel.shape, dtype=np.float32) for kernel in card.kernels}
    features = {spec.name: rng.random(spec.shape, dtype=np.float32) for spec in card.graph("search").outputs}
    return kernels, features, maps_by(tiny_onnx, card, kernels, features)


def engine(folder, card, name):
    return Engine(folder / f"{name}.onnx", card.graph(name), card.refitted(name), threads=1)


def maps_by(folder, card, kernels, features):
    xcorr = engine(folder, card, "xcorr")
    xcorr.refit(kernels)
    return xcorr.run(features)


def proof(folder, precision):
    return RefitProof(folder, ModelCard.load(folder), "xcorr", precision)


def off_by(maps, share):
    """The same maps, one value of ``loc`` off by a share of the map's range."""
    loc = maps["loc"].copy()
    loc[0, 3, 12, 12] += share * np.ptp(loc)
    return {"cls": maps["cls"], "loc": loc}


@pytest.mark.parametrize(
    ("precision", "inside", "outside"),
    [(Precision.FP32, 0.01, 0.03), (Precision.FP16, 0.01, 0.03), (Precision.INT8, 0.1, 0.2)],
)
def test_a_single_value_too_far_off_is_found(tiny_onnx, answer, precision, inside, outside):
    kernels, features, maps = answer
    proof(tiny_onnx, precision).require_equal(kernels, {**features, **off_by(maps, inside)})
    with pytest.raises(ParityError, match=rf"after the refit xcorr\.loc is {outside:.3f} of its range off"):
        proof(tiny_onnx, precision).require_equal(kernels, {**features, **off_by(maps, outside)})


def test_maps_that_are_no_numbers_prove_nothing(tiny_onnx, answer):
    kernels, features, maps = answer
    with pytest.raises(ParityError, match=r"xcorr\.loc is nan"):
        proof(tiny_onnx, Precision.INT8).require_equal(kernels, {**features, **off_by(maps, np.nan)})


def test_each_target_is_compared_with_its_own_kernels(tiny_onnx, answer):
    kernels, features, maps = answer
    of_both = proof(tiny_onnx, Precision.FP16)
    of_both.require_equal(kernels, {**features, **maps})
    others = {name: kernel[::-1] for name, kernel in kernels.items()}
    with pytest.raises(ParityError, match="after the refit"):
        of_both.require_equal(others, {**features, **maps})


@pytest.fixture(scope="module")
def real(shipped_engines, reference_data):
    """The shipped model's card, and kernels and features of three real targets."""
    folder = shipped_engines.parent / "onnx"
    card = ModelCard.load(folder)
    target, searching = engine(folder, card, "target"), engine(folder, card, "search")
    kernels, features = [], []
    for name in ("bag", "ball1", "motocross1"):
        sequence = reference_data / "vot2018" / "sequences" / name
        corners = np.array((sequence / "groundtruth.txt").read_text().split()[0].split(","), float).reshape(-1, 2)
        (x, y), (width, height) = corners.mean(0), np.ptp(corners, 0)
        side_px = template_square(Place(x, y, width, height), card).side_px
        frame = cv2.imread(str(sequence / "color" / "00000001.jpg"))
        patches = [crop(frame, Square(x, y, side_px * px // 127, px), (0, 0, 0)) for px in (127, 255)]
        template, search = (patch.transpose(2, 0, 1)[np.newaxis].astype(np.float32) for patch in patches)
        kernels.append(target.run({"template": template}))
        features.append(searching.run({"search": search}))
    return card, kernels, features


def test_on_real_targets_half_precision_passes_and_one_stale_kernel_does_not(shipped_engines, real):
    card, kernels, features = real
    folder = shipped_engines.parent / "onnx"
    strict = proof(folder, Precision.FP16)
    for one, own in enumerate(kernels):
        strict.require_equal(own, {**features[one], **maps_by(shipped_engines, card, own, features[one])})
        for name in card.kernel_names:
            stale = {**own, name: kernels[one - 1][name]}
            with pytest.raises(ParityError):
                strict.require_equal(own, {**features[one], **maps_by(folder, card, stale, features[one])})


def test_on_real_targets_the_kernels_of_another_are_found_in_int8_too(shipped_engines, real):
    card, kernels, features = real
    folder = shipped_engines.parent / "onnx"
    for one, own in enumerate(kernels):
        maps = maps_by(folder, card, kernels[one - 1], features[one])
        with pytest.raises(ParityError):
            proof(folder, Precision.INT8).require_equal(own, {**features[one], **maps})
