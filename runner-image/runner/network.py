"""The wait for a network that a script must not have to be closed."""

import errno
import os
import select
import struct
from time import monotonic as clock

from .contract import EXIT_NETWORK_OPEN, EXIT_RUNNER_FAILED, Refusal
from .json_text import json_bool

CLOSED_ERRORS = (
    *(errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH),
    *(errno.EACCES, errno.EPERM),  # a rule at the container's own end
)


class NetworkGate:
    """Waits until nothing takes a connection any more at addresses that a script must not reach.

    What enforces a network's policy may hear of a container only when it runs already, and then lets be what was opened
    by then. So the script begins only when the runner has seen that the policy holds: in a round that finds all
    addresses closed, and in another one, so that a packet lost is no policy. A network that was never open may be one
    that is not there yet: then some time lies between the two.
    """

    DEFAULT_SECONDS = "10"
    ROUND_SECONDS = 0.25  # who has not answered by then, in the same cluster, is taken for closed
    SETTLE_SECONDS = 0.25
    PAUSES_SECONDS = 0.005, 0.1  # the first, and the longest

    def __init__(self, addresses, seconds, is_required):
        self.addresses = addresses
        self.seconds = seconds
        self.is_required = is_required
        self.was_open = False
        self.answer = "nothing was tried"

    def pass_through(self, pause):
        """What `started` is to tell of it, as JSON; `Refusal` when the network stays open. `pause(seconds)` may refuse, too."""
        began, closed_since = clock(), None
        gap, longest_gap = self.PAUSES_SECONDS
        while True:
            looked_at = clock()
            if not self.is_closed():
                closed_since = None
                if clock() - began >= self.seconds:
                    break
                pause(gap)
                gap = min(gap * 1.5, longest_gap)
            elif closed_since is None:
                closed_since = looked_at
                pause(0.0 if self.was_open else looked_at + self.SETTLE_SECONDS - clock())
            else:
                return self.report(True, began)
        if self.is_required:
            raise Refusal(EXIT_NETWORK_OPEN, "the network is open after %g s: %s" % (self.seconds, self.answer))
        return self.report(False, began)

    def report(self, is_closed, began):
        said = '"closed":%s,"wasOpen":%s,"seconds":%.3f' % (json_bool(is_closed), json_bool(self.was_open), clock() - began)
        if is_closed:
            return "{%s}" % said
        import json  # takes 8 ms, of which a closed network spares the script

        return '{%s,"answer":%s}' % (said, json.dumps(self.answer))

    def is_closed(self):
        """Tries all addresses at once; false as soon as one answers, or cannot be tried."""
        import _socket  # without what `socket` puts around it; the script's process was forked before

        tried, pending, poll = {}, set(), select.poll()
        try:
            for host, port in self.addresses:
                family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
                _socket.inet_pton(family, host)  # a name would be looked up, which takes long where nothing answers
                each = _socket.socket(family, _socket.SOCK_STREAM)
                each.setblocking(False)
                # Its end is a reset, so that it leaves nothing behind, in the tables of the network neither.
                each.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack("ii", 1, 0))
                error = each.connect_ex((host, port))
                tried[each.fileno()] = each, "%s port %d" % (host, port)
                if error == errno.EINPROGRESS:
                    poll.register(each.fileno(), select.POLLOUT)
                    pending.add(each.fileno())
                elif self.takes(error, each.fileno(), tried):
                    return False
            until = clock() + self.ROUND_SECONDS
            while pending:
                # Once more when the time is over: a runner that got no processor meanwhile has not looked yet.
                ready = poll.poll(max(0.0, (until - clock()) * 1000))
                if not ready:
                    break
                for fd, _ in ready:
                    poll.unregister(fd)
                    pending.remove(fd)
                    if self.takes(tried[fd][0].getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR), fd, tried):
                        return False
            return True
        except OSError as error:
            self.answer = "an address cannot be tried: %s" % error
            return False
        finally:
            for each, _ in tried.values():
                each.close()

    def takes(self, error, fd, tried):
        """Whether a try that ended with `error` shows an open network, or nothing at all."""
        if error in CLOSED_ERRORS:
            return False
        self.was_open = self.was_open or error == 0
        self.answer = "%s %s" % (tried[fd][1], "cannot be tried: " + os.strerror(error) if error else "answers")
        return True


def find_network_gate():
    """The gate that the environment orders, or None."""
    text = os.environ.get("RUNNER_AWAIT_CLOSED", "")
    if not text:
        return None
    seconds = os.environ.get("RUNNER_AWAIT_CLOSED_SECONDS", NetworkGate.DEFAULT_SECONDS)
    addresses = [each.strip().rpartition(":")[::2] for each in text.split(",")]
    if not seconds.replace(".", "", 1).isdigit() or not all(map(is_port, (port for _, port in addresses))):
        raise Refusal(EXIT_RUNNER_FAILED, "RUNNER_AWAIT_CLOSED is no list of host:port, or its seconds are no number")
    is_required = os.environ.get("RUNNER_AWAIT_CLOSED_ELSE") != "start"
    return NetworkGate([(host.strip("[]"), int(port)) for host, port in addresses], float(seconds), is_required)


def is_port(text):
    return text.isdigit() and int(text) < 2**16
