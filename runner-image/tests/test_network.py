"""The wait for a closed network."""

import contextlib
import json
import os
import socket

from runner.network import NetworkGate
from .support import PATIENCE_SECONDS, STARTED, Listener, RunnerCase, has_ipv6, needs


class TheNetworkGate(RunnerCase):
    """RUNNER_AWAIT_CLOSED; the addresses are of this machine, where a closed port stands for a policy."""

    # What the policy is to keep from it: a connection in its first instruction.
    TRIES = """
        import socket
        for port in %r:
            with socket.socket() as tried:
                print(tried.connect_ex(("127.0.0.1", port)))
        """

    def listener(self, *where):
        listener = Listener(*where)
        self.addCleanup(listener.close)
        return listener

    def await_closed(self, *addresses, seconds="120", **more):
        self.environ.update(RUNNER_AWAIT_CLOSED=",".join(addresses), RUNNER_AWAIT_CLOSED_SECONDS=seconds, **more)

    def network(self, result):
        return json.loads(result.of(STARTED)[0].payload).get("network")

    def closed_address(self):
        listener = self.listener()
        listener.close()
        return listener.address

    def test_without_the_order_it_tries_nothing_and_says_nothing(self):
        self.assertIsNone(self.network(self.run_script("print(1)")))

    def test_the_script_begins_when_no_address_takes_connections_any_more(self):
        one, two = self.listener(), self.listener()
        self.await_closed(one.address, two.address)
        process = self.start(self.TRIES % [one.port, two.port])
        self.wait_for(lambda: one.count >= 2, "two connections")
        one.close()
        count = two.count
        self.wait_for(lambda: two.count >= count + 3, "connections to the one that is left")
        self.assertEqual(self.read_log(), b"")
        two.close()
        result = self.finish(process)
        self.assertEqual(result.text(), "111\n111\n", result.stderr)
        self.assertEqual({**self.network(result), "seconds": 0}, {"closed": True, "wasOpen": True, "seconds": 0})

    def test_a_network_that_was_never_open_must_stay_closed_for_a_while(self):
        self.await_closed(self.closed_address(), self.closed_address())
        network = self.network(self.run_script("print(1)"))
        self.assertEqual((network["closed"], network["wasOpen"]), (True, False))
        self.assertGreaterEqual(network["seconds"], NetworkGate.SETTLE_SECONDS)

    def test_what_does_not_answer_is_closed(self):
        with contextlib.ExitStack() as stack:
            # A queue that is full answers nobody.
            queue = stack.enter_context(socket.socket())
            queue.bind(("127.0.0.1", 0))
            queue.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(queue.getsockname())
            self.await_closed("127.0.0.1:%d" % queue.getsockname()[1])
            self.assertEqual(self.network(self.run_script("print(1)"))["closed"], True)

    def test_a_runner_that_got_no_processor_does_not_take_its_own_lateness_for_silence(self):
        late = "until = clock() + self.ROUND_SECONDS"
        late_runner = self.changed_runner(late, late + "; select.select([], [], [], self.ROUND_SECONDS)")
        self.await_closed(self.listener().address, seconds="0.3")
        self.assertEqual(self.start("print(1)", runner=late_runner).wait(PATIENCE_SECONDS), 117)

    def test_a_network_that_stays_open_ends_it_with_117_and_nothing_has_run(self):
        listener = self.listener()
        self.await_closed(self.closed_address(), listener.address, seconds="0.3")
        result = self.run_script("open('ran', 'w')")
        self.assertEqual((result.code, result.log), (117, b""))
        self.assertIn("the network is open after 0.3 s: 127.0.0.1 port %d answers" % listener.port, result.stderr.decode())
        self.assertEqual(os.listdir(self.path("output")), [])

    def test_it_begins_all_the_same_where_that_is_ordered(self):
        self.await_closed(self.listener().address, seconds="0.3", RUNNER_AWAIT_CLOSED_ELSE="start")
        result = self.run_script("print(1)")
        self.assertEqual(result.text(), "1\n")
        network = self.network(result)
        self.assertEqual((network["closed"], network["wasOpen"]), (False, True))
        self.assertRegex(network["answer"], r"^127\.0\.0\.1 port \d+ answers$")

    def test_what_cannot_be_tried_is_not_closed(self):
        for address in ("no-such-host.invalid:443", "$(KUBERNETES_SERVICE_HOST):443"):
            with self.subTest(address):
                self.await_closed(self.closed_address(), address, seconds="0.1")
                result = self.run_script("print(1)")
                self.assertEqual((result.code, result.log), (117, b""))
                self.assertIn("cannot be tried", result.stderr.decode())

    def test_an_order_that_is_no_list_of_addresses_ends_it_with_123(self):
        for text in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", ":x", ","):
            with self.subTest(text):
                self.await_closed(text)
                self.assertEqual(self.run_script("print(1)").code, 123)
        self.await_closed(self.closed_address(), seconds="soon")
        self.assertEqual(self.run_script("print(1)").code, 123)

    @needs(has_ipv6(), "IPv6")
    def test_addresses_of_ipv6_are_tried(self):
        for form in ("::1:%d", "[::1]:%d"):
            listener = self.listener(socket.AF_INET6, "::1")
            self.await_closed(form % listener.port, seconds="0.2")
            self.assertEqual(self.run_script("print(1)").code, 117)
            listener.close()
            self.assertEqual(self.network(self.run_script("print(1)"))["closed"], True)
            os.unlink(self.path("spool", "log"))

    def test_a_stop_ends_the_wait_with_143_and_nothing_has_run(self):
        listener = self.listener()
        self.await_closed(listener.address, RUNNER_STOP_FILE=self.path("stop"))
        for stop in (lambda process: process.terminate(), lambda _: self.write("stop", content="5\n")):
            count = listener.count
            process = self.start("open('ran', 'w')")
            self.wait_for(lambda: listener.count > count, "a connection")
            stop(process)
            result = self.finish(process)
            self.assertEqual((result.code, result.log), (143, b""), result.stderr)
            self.assertEqual(os.listdir(self.path("output")), [])

    def test_the_script_has_nothing_of_it(self):
        self.await_closed(self.closed_address())
        script = """
            import os, sys
            print([name for name in os.environ if name.startswith("RUNNER")], "_socket" in sys.modules)
            print([fd for fd in range(3, 64) if os.path.exists("/proc/self/fd/%d" % fd)])
            """
        result = self.run_script(script)
        self.assertEqual(result.text(), self.without_order(script))

    def without_order(self, script):
        del self.environ["RUNNER_AWAIT_CLOSED"]
        os.unlink(self.path("spool", "log"))
        return self.run_script(script).text()
