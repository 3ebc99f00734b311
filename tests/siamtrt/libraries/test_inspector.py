"""The layers of plans that NVIDIA built and published, see tests/golden/tensorrt."""

from __future__ import annotations

from pathlib import Path

import pytest

from siamtrt.libraries.inspector import fused_names, integer_share, plan_layers

GOLDEN = Path(__file__).parents[2] / "golden" / "tensorrt"
STEM = 32 * 64 * 3 * 49 * 112 * 112  # batch, channels, 7x7 kernel, places before the pooling
# ResNet-18: the stem, four stages of four 3x3 convolutions on 56, 28, 14 and 7 pixels, three shortcuts, the classifier.
RESNET18 = STEM + 32 * (
    4 * 64**2 * 9 * 56**2
    + sum(
        (width // 2 * width + 3 * width**2) * 9 * side**2 + width // 2 * width * side**2
        for width, side in ((128, 28), (256, 14), (512, 7))
    )
)


def read(name):
    return plan_layers((GOLDEN / f"{name}.json").read_text(), name)


@pytest.mark.parametrize(("name", "share"), [("resnet-qat", 1.0), ("resnet-qat-residual", 1.0), ("resnet-fp16", 0.0)])
def test_the_precision_of_a_product_is_that_of_its_weights(name, share):
    layers = read(name)
    assert integer_share(layers) == share
    assert sum(layer.macs > 0 for layer in layers) == 21


def test_floats_put_out_by_an_int8_layer_do_not_hide_it():
    outputs = [layer.output_precision for layer in read("resnet-qat") if layer.macs]
    assert outputs.count("int8") == 8
    assert outputs.count("float16") + outputs.count("float32") == 13


@pytest.mark.parametrize("name", ["resnet-qat", "resnet-qat-residual", "resnet-fp16"])
def test_all_the_work_of_the_network_is_counted(name):
    layers = read(name)
    classifier = layers[-1] if layers[-1].macs else next(layer for layer in layers[::-1] if layer.macs)
    assert sum(layer.macs for layer in layers) == RESNET18 + classifier.macs
    assert classifier.macs == 32 * 512 * 1000


def test_a_stem_fused_with_its_pooling_is_counted_before_the_pooling():
    stem = next(layer for layer in read("resnet-qat-residual") if layer.type == "ConvActPool")
    assert stem.macs == STEM
    assert stem.precision == "int8"
    assert stem.bytes == 32 * 3 * 224 * 224 + 32 * 64 * 56 * 56 + 9408 + 4 * 64


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("conv1", ["conv1"]),
        ("conv1 + relu", ["conv1", "relu"]),
        ("a.0 + PWN(PWN(s, m), b.1)", ["a.0", "s", "m", "b.1"]),
        ("left || right", ["left", "right"]),
        ("{ForeignNode[a...z]}", ["a", "z"]),
    ],
)
def test_a_fused_layer_names_its_parts(name, parts):
    assert fused_names(name) == parts
