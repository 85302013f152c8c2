"""Settings of nbval that have no command-line option."""

import contextlib


def pytest_configure(config):
    """Keep the reader's settings from the kernels that nbval starts, as from those that execute chapters."""
    if not config.getoption("nbval", False):
        return
    import nbval.kernel

    from offconvex.book import surroundings

    nbval.kernel.NbvalKernelspecManager.get_kernel_spec = lambda manager, name: surroundings.specification()
    if not hasattr(config, "workerinput"):  # pytest's workers inherit the variables
        stack = contextlib.ExitStack()
        config.add_cleanup(stack.close)
        stack.enter_context(surroundings.clean())


def pytest_itemcollected(item):
    """Give a loaded machine a minute per output message; nbval's own limit is five seconds."""
    if type(item).__name__ == "IPyNbCell":
        item.output_timeout = 60
