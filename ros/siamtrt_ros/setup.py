"""The ament_python package; the tracker itself is the Python package siamtrt, which pip installs."""

from setuptools import setup

setup(
    name="siamtrt_ros",
    version="0.1.0",
    packages=["siamtrt_ros"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/siamtrt_ros"]),
        ("share/siamtrt_ros", ["package.xml"]),
        ("share/siamtrt_ros/launch", ["launch/track.launch.py"]),
    ],
    license="Apache-2.0",
    entry_points={"console_scripts": ["track = siamtrt_ros.track:main"]},
)
