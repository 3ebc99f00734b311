from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamtrt import ArtifactError, UsageError
from siamtrt.libraries.calibration_cache import file_name, header, parse, serialize

NAMES = st.text(st.characters(codec="ascii", exclude_characters="\r\n\v\f\x1c\x1d\x1e"), min_size=1)


@pytest.mark.parametrize(
    ("version", "number"),
    [("8.5.2.2", 8502), ("8.2.5", 8205), ("8.6.1.post1", 8601), ("10.9.0", 100900), ("10.16.1", 101601)],
)
def test_the_header_is_the_librarys_version_number(version, number):
    assert header(version) == f"TRT-{number}-EntropyCalibration2"


def test_no_version_has_no_header():
    with pytest.raises(UsageError, match=r"'8\.5' is no TensorRT version"):
        header("8.5")


def test_a_scale_is_the_bits_of_a_big_endian_float():
    data = serialize({"input": 127 * struct.unpack("!f", bytes.fromhex("3b810a13"))[0]}, "8.5.2.2")
    assert data == b"TRT-8502-EntropyCalibration2\ninput: 3b810a13\n"


def test_leading_zeros_stay():
    assert serialize({"a": 1e-39 * 127}, "8.5.2").endswith(b"a: 000ae398\n")


@given(st.dictionaries(NAMES, st.floats(1e-30, 1e30)))
def test_what_is_written_is_read_back_to_float32(amax):
    found = parse(serialize(amax, "8.5.2.2"), tensorrt="8.5.2.2")
    assert list(found) == list(amax)
    assert found == pytest.approx(amax, rel=1e-7)


def test_a_name_may_hold_colons():
    assert list(parse(serialize({"onnx::Conv_1: x": 1.0}, "8.5.2"))) == ["onnx::Conv_1: x"]


@pytest.mark.parametrize("first", [b"", b"TRT-8XXX-EntropyCalibration2", b"TRT-8502-MinMaxCalibration", b"{}"])
def test_another_header_is_refused(first):
    with pytest.raises(ArtifactError, match="no header of one"):
        parse(first + b"\na: 3b810a13\n")


def test_the_cache_of_another_tensorrt_is_refused():
    data = serialize({"a": 1.0}, "8.5.2.2")
    assert parse(data, tensorrt="8.5.2.9")
    with pytest.raises(ArtifactError, match=r"is TRT-8502-Ent\w+, TensorRT 8\.5\.3\.1 needs TRT-8503"):
        parse(data, tensorrt="8.5.3.1")


@pytest.mark.parametrize("line", [b"a", b"a: 3b810a1", b"a: 3B810A13", b"a:3b810a13", b": 3b810a13", b""])
def test_a_damaged_line_is_refused(line):
    with pytest.raises(ArtifactError, match="no line of a calibration cache"):
        parse(b"TRT-8502-EntropyCalibration2\n" + line + b"\nb: 3b810a13\n")


@pytest.mark.parametrize("zero", [b"00000000", b"80000000"])
def test_tensors_that_were_zero_throughout_are_all_named_with_another_way(zero):
    data = b"TRT-8502-EntropyCalibration2\na: " + zero + b"\nb: 3b810a13\nc: " + zero
    with pytest.raises(ArtifactError, match=r"the scale 0 to a, c\n  try: --calibrator ranges") as caught:
        parse(data)
    assert "delete" not in caught.value.hint


@pytest.mark.parametrize("bits", [b"7f800000", b"7fc00000", b"bb810a13"])
def test_a_range_is_a_positive_number_when_read(bits):
    with pytest.raises(ArtifactError, match="gives a the scale"):
        parse(b"TRT-8502-EntropyCalibration2\na: " + bits)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_range_is_a_positive_number_when_written(value):
    with pytest.raises(UsageError, match="tensor 'a' has the range"):
        serialize({"a": value}, "8.5.2")


def test_names_are_one_line_and_unique():
    with pytest.raises(UsageError, match="cannot hold the tensor name"):
        serialize({"a\nb": 1.0}, "8.5.2")
    twice = b"TRT-8502-EntropyCalibration2\na: 3b810a13\na: 3b810a13\n"
    with pytest.raises(ArtifactError, match="or its second one"):
        parse(twice)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(ArtifactError, match="is no text"):
        parse(b"\xff\xfe")


def test_a_graph_has_one_file():
    assert file_name("search") == "search.cache"
