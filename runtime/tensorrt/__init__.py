"""The networks on TensorRT: a frame goes to the GPU, the box or two small maps come back."""
