"""``ros2 launch siamtrt_ros track.launch.py engines:=DIR image:=/camera/image_raw``."""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# Parameter -> type, default and what it is; as serving/ros/serve.py declares them.
PARAMETERS = {
    "engines": (str, "", "folder written by python -m engines, or one that holds several"),
    "precision": (str, "", "which of several, as python -m engines takes it"),
    "compressed": (bool, "false", "the images are sensor_msgs/CompressedImage"),
    "threads": (int, "0", "of the CPU backend, 0 for all cores"),
    "decode": (str, "", "where the box is chosen: host or device"),
    "wait": (str, "", "for the GPU: spin or block"),
    "policy": (str, "", "where a model with exits stops"),
}


def generate_launch_description() -> LaunchDescription:
    """One node, with the image topic as an argument beside the parameters."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=about)
        for name, (_, default, about) in PARAMETERS.items()
    ]
    arguments.append(DeclareLaunchArgument("image", default_value="image", description="topic of the images"))
    parameters = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind) for name, (kind, _, _) in PARAMETERS.items()
    }
    node = Node(
        package="siamtrt_ros",
        executable="track",
        name="siamtrt",
        output="screen",
        parameters=[parameters],
        remappings=[("image", LaunchConfiguration("image"))],
    )
    return LaunchDescription([*arguments, node])
