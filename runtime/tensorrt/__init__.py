"""A locator on TensorRT: a frame goes to the GPU, the box comes back, or the two maps it is chosen from."""
