"""Doubles of rclpy and of message classes, as strict as those that rosidl generates.

A message class knows its fields and nothing else; a field takes values of its type alone.
"""

from __future__ import annotations

import threading
import types

from tests.doubles.ros_definitions import DISTRIBUTIONS, services

_INTEGERS = {"uint8": (0, 2**8), "uint32": (0, 2**32), "int32": (-(2**31), 2**31)}
_PLAIN = {"string": "", "bool": False, "float64": 0.0, "byte": b"\x00", **dict.fromkeys(_INTEGERS, 0)}


def message_classes(distribution):
    """Full name, as ``sensor_msgs/Image`` -> class."""
    classes = {}
    for name, text in DISTRIBUTIONS[distribution].items():
        classes[name] = _message_class(name, text, classes)
    return classes


def service_classes():
    """Name of each service of this project -> namespace of its Request and Response."""
    return {
        name: types.SimpleNamespace(
            Request=_message_class(f"{name}_Request", request, {}),
            Response=_message_class(f"{name}_Response", response, {}),
        )
        for name, (request, response) in services().items()
    }


def _message_class(name, text, classes):
    fields = {field: kind for kind, field in (line.split() for line in text.splitlines())}

    class Message:
        __slots__ = tuple(fields)

        def __init__(self):
            for field, kind in fields.items():
                object.__setattr__(self, field, _default(kind, classes))

        def __setattr__(self, field, value):
            if field not in fields:
                raise AttributeError(f"{name} has no field {field}")
            _require(f"{name}.{field}", fields[field], value, classes)
            object.__setattr__(self, field, value)

        @classmethod
        def get_fields_and_field_types(cls):
            return dict(fields)

    Message.__name__ = Message.__qualname__ = name
    if name == "diagnostic_msgs/DiagnosticStatus":
        Message.OK, Message.WARN, Message.ERROR = b"\x00", b"\x01", b"\x02"
    return Message


def _default(kind, classes):
    if kind == "uint8[]":
        return b""
    if kind.endswith("[36]"):
        return [0.0] * 36
    if kind.endswith("[]"):
        return []
    return _PLAIN[kind] if kind in _PLAIN else classes[kind]()


def _require(where, kind, value, classes):
    """What rosidl's setters assert."""
    if kind == "uint8[]":
        assert isinstance(value, (bytes, bytearray)), f"{where} is {type(value)}"
    elif kind.endswith("[]"):
        assert isinstance(value, list), f"{where} is {type(value)}"
        for one in value:
            _require(where, kind[:-2], one, classes)
    elif kind in _INTEGERS:
        low, high = _INTEGERS[kind]
        assert type(value) is int, f"{where} is {type(value)}"
        assert low <= value < high, where
    elif kind == "byte":
        assert isinstance(value, bytes), f"{where} is {type(value)}"
        assert len(value) == 1, where
    else:
        wanted = type(_PLAIN[kind]) if kind in _PLAIN else classes[kind]
        assert type(value) is wanted, f"{where} is {type(value)}, not {wanted}"


class ExternalShutdownException(Exception):  # noqa: N818  its name in rclpy
    pass


class Publisher:
    def __init__(self, kind, topic, depth):
        self.kind, self.topic, self.depth, self.published = kind, topic, depth, []

    def publish(self, message):
        assert type(message) is self.kind
        self.published.append(message)


class Node:
    """A node that only remembers what it was asked for."""

    def __init__(self, name, parameters, time_class):
        self.name, self.parameters, self._time_class = name, parameters, time_class
        self.publishers, self.subscriptions, self.services, self.timers = {}, {}, {}, []
        self.declared, self.destroyed = {}, False

    def get_name(self):
        return self.name

    def declare_parameter(self, name, default):
        value = self.parameters.get(name, default)
        assert type(value) is type(default), f"{name} is {type(value)}"
        self.declared[name] = value
        return types.SimpleNamespace(value=value)

    def create_publisher(self, kind, topic, depth):
        self.publishers[topic] = Publisher(kind, topic, depth)
        return self.publishers[topic]

    def create_subscription(self, kind, topic, callback, qos):
        self.subscriptions[topic] = types.SimpleNamespace(kind=kind, callback=callback, qos=qos)

    def create_service(self, kind, name, callback):
        self.services[name] = types.SimpleNamespace(kind=kind, callback=callback)

    def create_timer(self, period_s, callback):
        self.timers.append((period_s, callback))

    def get_clock(self):
        now = types.SimpleNamespace(to_msg=self._time_class)
        return types.SimpleNamespace(now=lambda: now)

    def get_logger(self):
        return types.SimpleNamespace(info=lambda text: None)

    def destroy_node(self):
        self.destroyed = True

    def call(self, service, **fields):
        """What a service of the node answers."""
        request, response = self.services[service].kind.Request(), self.services[service].kind.Response()
        for name, value in fields.items():
            setattr(request, name, value)
        return self.services[service].callback(request, response)


def rclpy_modules(distribution, parameters, talk):
    """Modules for ``sys.modules``: rclpy, whose ``spin`` calls ``talk(node)``, and the packages of messages.

    Args:
        distribution: ``humble`` or ``foxy``.
        parameters: of the node.
        talk: what happens to the node while it spins.
    """
    messages, shut_down = message_classes(distribution), threading.Event()
    rclpy = types.ModuleType("rclpy")
    rclpy.executors = types.SimpleNamespace(ExternalShutdownException=ExternalShutdownException)
    rclpy.init = lambda args: setattr(rclpy, "arguments", args)
    rclpy.try_shutdown = shut_down.set

    def create_node(name):
        rclpy.node = Node(name, parameters, messages["builtin_interfaces/Time"])
        return rclpy.node

    def spin(node):
        talk(node)
        if shut_down.is_set():
            raise ExternalShutdownException

    rclpy.create_node, rclpy.spin = create_node, spin
    modules = {"rclpy": rclpy, "rclpy.qos": types.ModuleType("rclpy.qos")}
    modules["rclpy.qos"].qos_profile_sensor_data = "sensor data"
    for name, kind in messages.items():
        package, _, short = name.partition("/")
        module = modules.setdefault(f"{package}.msg", types.ModuleType(f"{package}.msg"))
        setattr(module, short, kind)
    modules["siamtrt_interfaces.srv"] = types.ModuleType("siamtrt_interfaces.srv")
    vars(modules["siamtrt_interfaces.srv"]).update(service_classes())
    for name in list(modules):
        modules.setdefault(name.partition(".")[0], types.ModuleType(name.partition(".")[0]))
    return modules
