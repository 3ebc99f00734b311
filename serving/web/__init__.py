"""A tracker on a page of a browser: the picture with its boxes, drawn by mouse, and what each frame took.

The loop of :mod:`runtime.loop` runs in the main thread (:mod:`serving.web.live`), the server in another
(:mod:`serving.web.server`). They meet in two places only: requests of pages wait in a bounded queue that is read
between two frames, and the newest frame lies on a :class:`serving.web.screen.Screen`, from which each page takes one
when it has drawn the last.
"""
