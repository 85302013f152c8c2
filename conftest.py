"""Settings of nbval that have no command-line option."""


def pytest_itemcollected(item):
    """Give a loaded machine a minute per output message; nbval's own limit is five seconds."""
    if type(item).__name__ == "IPyNbCell":
        item.output_timeout = 60
