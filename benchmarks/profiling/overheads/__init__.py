"""What a frame costs beside the network, and what measuring it costs."""
