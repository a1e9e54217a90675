"""Independent problems spread over devices: those of one host or of many, by JAX's own SPMD.

Every process runs the same call and gets the whole result, as `jax.distributed` expects.
A result does not depend on the number of devices: each problem is computed by the same operations.
"""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec

AXIS = "problems"


def device_mesh(problems: int) -> Mesh | None:
    """Returns the mesh of devices for a number of independent problems, or None where one device is enough.

    It is the mesh that the caller has set with `jax.set_mesh`, and else has all devices of all processes. Devices of
    one process that would have no problem are then left out. Inside a transformation of JAX it is None.
    A mesh with explicit axes raises ValueError.
    """
    try:
        ambient = jax.sharding.get_mesh()
    except ValueError:  # inside a transformation, where no mesh can be looked up
        return None
    if not ambient.empty:
        if any(kind != AxisType.Auto for kind in ambient.axis_types):
            raise ValueError(
                "t2jax spreads over meshes with automatic axes:"
                f" jax.make_mesh(..., axis_types=(jax.sharding.AxisType.Auto,) * {len(ambient.axis_names)})"
            )
        return cast(Mesh, ambient) if ambient.size > 1 else None
    devices = jax.devices()
    if jax.process_count() == 1:  # else every process must have a part in the program
        devices = devices[:problems]
    return Mesh(np.array(devices), (AXIS,)) if len(devices) > 1 else None


def spread_over(mesh: Mesh | None, function: Callable[[Any], Any], items: Any) -> Any:
    """Computes `function(items)` with an equal part of the items on each device, inside a compiled program.

    Args:
        mesh: Mesh of `device_mesh`; None computes on one device.
        function: Function of a tree of arrays with a leading axis (items,) to another such tree. Each result depends
            on its own item only.
        items: Tree of arrays with a leading axis (items,).

    Returns:
        The results, shape (items, ...), whole on every device.
    """
    if mesh is None:
        return function(items)
    count = len(jax.tree.leaves(items)[0])
    share = -(-count // mesh.size)
    # the last item fills the last device's part
    place = jnp.minimum(jnp.arange(share * mesh.size), count - 1)
    replicated = PartitionSpec()

    def part(items: Any, place: Any) -> Any:
        places = jax.lax.dynamic_slice_in_dim(place, jax.lax.axis_index(mesh.axis_names) * share, share)
        results = function(jax.tree.map(lambda leaf: leaf[places], items))
        return jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, mesh.axis_names, tiled=True), results)

    whole = jax.shard_map(part, mesh=mesh, in_specs=replicated, out_specs=replicated, check_vma=False)(items, place)
    return jax.tree.map(lambda leaf: leaf[:count], whole)
