"""What can be wrong with a model, each with the value, the rule it broke, and what to do."""


class ModelFileError(ValueError):
    """The file is no model that signflow can read."""


class UnsupportedError(ValueError):
    """The model is valid, but a part of it has no exact hardware here."""

    def __init__(self, node: str, operator: str, reason: str, supported: str):
        self.node, self.operator, self.reason, self.supported = node, operator, reason, supported
        super().__init__(f"node {node!r}, operator {operator}: {reason}. Supported: {supported}")


def refuse(node, reason: str, supported: str) -> UnsupportedError:
    """The error for an ONNX ``node`` (NodeProto)."""
    return UnsupportedError(node.name or node.output[0], node.op_type, reason, supported)
