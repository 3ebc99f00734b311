"""A locator on ONNX Runtime: crops by OpenCV, kernels by patched bytes, the box chosen with numpy."""
