"""What can be wrong with a model, each with the value, the rule it broke, and what to do."""


class ModelFileError(ValueError):
    """The file is no model that signflow can read."""


class UnsupportedError(ValueError):
    """The model is valid, but a part of it has no exact hardware here."""

    def __init__(self, node: str, operator: str, reason: str, supported: str):
        operator = operator if operator.isidentifier() else repr(operator)  # a file's may be anything
        self.node, self.operator, self.reason, self.supported = node, operator, reason, supported
        super().__init__(f"node {node!r}, operator {operator}: {reason}. Supported: {supported}")


def called(node) -> str:
    """What a message calls a NodeProto: its name, or that of its result."""
    return node.name or next(iter(node.output), "")


def refuse(node, reason: str, supported: str) -> UnsupportedError:
    """The error for an ONNX ``node`` (NodeProto)."""
    return UnsupportedError(called(node), node.op_type, reason, supported)
