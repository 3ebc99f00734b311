"""One-pass evaluation: a tracker is started once and never again. Success and precision as OTB and PySOT take them."""
