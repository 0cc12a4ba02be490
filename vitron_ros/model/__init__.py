"""One model for both papers: `VitronModel` and its parts."""

import logging

# transformers imports torchao where it is installed, which then warns of GPU libraries that a CPU machine lacks.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
