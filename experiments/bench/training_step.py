"""A training step of a network without a data set: forward, backward and SGD, for `forward.py`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


class TrainingStep:
    """SGD with momentum on the mean cross-entropy of one batch, batch norm in training."""

    def __init__(self, model, variables, batch, *, rate: float, momentum: float):
        """Labels are 0, 1, 2, .. over the batch."""
        self.model, self.batch = model, batch
        self.optimizer = optax.sgd(rate, momentum)
        variables = jax.tree.map(jnp.copy, variables)  # steps give up what they are given
        self.state = (variables, self.optimizer.init(variables["params"]))

    def run(self) -> Any:
        """Takes one step; the new state, to wait for."""
        self.state = self._step(self.state, self.batch)
        return self.state

    def gradients(self) -> np.ndarray:
        """Those of the first and the last kernel in torch's layout, each by its maximum; no step is taken."""
        gradient, _ = jax.jit(self._gradient)(self.state[0], self.batch)
        stem, last = gradient["stem_conv"]["kernel"].transpose(4, 3, 0, 1, 2), gradient["fc"]["kernel"].T
        return np.concatenate([np.ravel(kernel / jnp.abs(kernel).max()) for kernel in (stem, last)])

    def _gradient(self, variables, batch):
        labels = jnp.arange(len(batch)) % self.model.num_classes

        def loss(params):
            logits, updates = self.model.apply(dict(variables, params=params), batch, True, mutable=["batch_stats"])
            return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), updates

        return jax.grad(loss, has_aux=True)(variables["params"])

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _step(self, state, batch):
        variables, opt_state = state
        gradient, updates = self._gradient(variables, batch)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats
            change, opt_state = self.optimizer.update(gradient, opt_state)
            params = optax.apply_updates(variables["params"], change)
        return {"params": params, **updates}, opt_state
