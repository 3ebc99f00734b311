"""The entry point for ``ros2 run siamtrt_ros track``."""
