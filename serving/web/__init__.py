"""A tracker on a page of a browser: the picture with its boxes, drawn by mouse, and what each frame took.

The tracker runs in the main thread (:mod:`serving.live`), the server in another (:mod:`serving.web.server`). The newest
frame lies on a :class:`serving.web.screen.Screen`, from which each page takes one when it has drawn the last.
"""
