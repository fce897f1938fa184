"""The cold start: the order is there when the runner begins."""

from .log import open_log
from .mask import SecretMask
from .network import find_network_gate
from .order import bad_order, parse_order, read_order
from .script import script_process
from .secrets import read_secrets
from .signals import SignalReader
from .signature import find_signer, signer_for
from .stop import find_stop_file, refuse_to_begin, wait_for_any
from .supervise import hide, supervise


def cold_start(child):
    """Runs the job that is there; returns the exit code in the runner, (path, namespace) in the script's process."""
    log_fd = open_log()
    try:
        data = read_order()
    except OSError as error:
        raise bad_order(error) from error
    order = parse_order(data)
    stop_file = find_stop_file()
    refuse_to_begin(stop_file)
    gate = find_network_gate()
    secrets = read_secrets(order.secret_names) if order.secret_names else {}
    # Before the runner hides itself: the script's process is to be an ordinary one.
    if child.fork():
        return script_process(child, order, secrets)
    if secrets:
        for pipe in child.pipes:
            pipe.mask = SecretMask(secrets.values())
    hide()
    # Not before the fork: what is in this memory then is in the script's.
    signer = signer_for(order, find_signer())
    signals = SignalReader()

    def pause(seconds):
        wait_for_any([], signals, stop_file, seconds, "the script was started")

    # While the script's process sets itself up; it cannot go on before it is told to.
    network = gate.pass_through(pause) if gate else None
    return supervise(order, log_fd, child, signals, stop_file, signer=signer, network=network)
