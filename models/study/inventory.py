"""What `NETWORKS` holds, as a table: parameters and weight bits counted on the networks themselves."""

import torch

from signflow.models.networks import NETWORKS
from signflow.models.study.tables import Table
from signflow.models.weights import FOLDER, binary_parameters


def inventory(names: list[str]) -> Table:
    """One row a network: input, data set, trainable parameters, those of them that end as one bit, shipped weights.

    Latent weights of binary layers count as one parameter each. Raises KeyError for a name that is none.
    """
    rows = []
    for name in names:
        spec = NETWORKS[name]
        with torch.device("meta"):  # shapes suffice
            net = spec.build()
        modules, bits = dict(net.named_modules()), 0
        for key in binary_parameters(net):
            bits += modules[key.removesuffix(".weight")].weight.numel()
        total = sum(p.numel() for p in net.parameters() if p.requires_grad)
        shape = "x".join(map(str, spec.input_shape))
        shipped = "yes" if (FOLDER / f"{name}.npz").exists() else ""
        rows.append([name, shape, spec.dataset, f"{total:,}", f"{bits:,}", shipped])
    columns = ["network", "input", "trained on", "parameters", "weight bits", "weights shipped"]
    return Table("Networks", columns, rows)
