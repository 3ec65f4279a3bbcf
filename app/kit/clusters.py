"""Other machines, where an office has them: a scheduler of Dask's, which is an extra of the package (`dask`).

Workers may die and come back: what they had in hand is handed out again. Where all of them are gone at once, what they
were given beforehand is gone too, and is given to those that come; only where that fails again and again is it told.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from app.kit.errors import Fault

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS = 5
_RETRIES = 10  # of one task whose worker died
_CONNECT_S = 30


class ClusterMissing(Fault):
    """The scheduler does not answer, or the extra that speaks to it is not installed."""

    status = 503
    code = "cluster_missing"
    title = "连不上计算集群"


def run_on_cluster(address: str, work: Callable[[Any, T], R], shared: Any, tasks: Sequence[T]) -> Iterator[tuple[T, R]]:
    """`work(shared, task)` of every task on the workers of a scheduler, each with its task as soon as it is done.

    `work` must be a function of a module that the workers can import; `shared` is sent to each of them once.

    Raises:
        ClusterMissing: the extra is not installed, the scheduler does not answer, or it loses its workers for good.
    """
    if importlib.util.find_spec("distributed") is None:
        raise ClusterMissing("没有安装 dask：请运行 pip install 'jiujin[dask]'")
    # Imported late: it costs a second, and few commands need it.
    import distributed  # noqa: PLC0415
    from distributed.client import FutureCancelledError  # noqa: PLC0415

    # The package tells no types.
    dask: Any = distributed
    try:
        client = dask.Client(address, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterMissing(f"连不上 {address}，请检查地址和调度程序") from error
    with client:
        left = dict(enumerate(tasks))
        for attempt in range(_ATTEMPTS):
            given = client.scatter(shared, broadcast=True, hash=False)
            futures = {
                client.submit(work, given, task, pure=False, retries=_RETRIES): number for number, task in left.items()
            }
            try:
                for future in dask.as_completed(list(futures), loop=client.loop):
                    result = future.result()
                    yield left.pop(futures[future]), result
                    future.release()
            except (FutureCancelledError, dask.KilledWorker, TimeoutError, OSError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise ClusterMissing(
                        f"{address} 上的工作进程总是中断，已经算好的都保存了，可以再运行一次"
                    ) from error
            if not left:
                return
