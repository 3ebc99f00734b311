"""A tracker as a node of ROS 2: images in, detections and diagnostics out, services to start and stop.

The packages that colcon builds lie in ``ros/``. Nothing here imports rclpy before the node starts.
"""
