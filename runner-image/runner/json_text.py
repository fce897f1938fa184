"""JSON without the module `json`, which each job would pay for with 8 ms."""


class JsonRules:
    """What the C scanner of the `json` module asks its decoder for."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_int = int
    parse_float = parse_constant = float


def parse_json(text):
    """`json.loads` without importing `json`, which imports `re` and so takes 8 ms; its C scanner takes 0.3 ms."""
    try:
        from _json import make_scanner

        stripped = text.strip()
        value, end = make_scanner(JsonRules)(stripped, 0)
        if end == len(stripped):
            return value
    except (ImportError, StopIteration, SystemError):
        pass  # how the scanner fails where `json` is not imported
    import json

    return json.loads(text)  # has the words for what is wrong


def json_bool(value):
    return "true" if value else "false"
