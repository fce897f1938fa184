"""What the contract lists; src/runner/contract.spec.ts compares the lists with those of the server and of the page."""

import unittest

from runner.contract import START_UP_VARIABLES, is_unfit


class TheContract(unittest.TestCase):
    def test_what_only_a_new_interpreter_reads_is_not_for_a_worker(self):
        for prefix in START_UP_VARIABLES:
            self.assertTrue(is_unfit(prefix), prefix)
