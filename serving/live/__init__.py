"""A tracker that is asked for things while it runs, by a page or by a robot: the loop, its requests, its recordings.

The loop of :mod:`runtime.loop` runs on one thread (:mod:`serving.live.live`). Requests wait in a bounded queue that is
read between two frames, and what there is to see after a frame goes to whoever shows it.
"""
