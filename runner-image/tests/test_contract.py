"""What the contract lists."""

import os
import re
import unittest

from runner.contract import START_UP_VARIABLES, UNFIT_VARIABLES, is_unfit
from .support import RUNNER_IMAGE


class TheContract(unittest.TestCase):
    def test_the_contract_lists_what_the_runner_refuses(self):
        with open(os.path.join(RUNNER_IMAGE, "..", "docs", "runner-contract.md")) as file:
            table = file.read().partition("UNFIT_VARIABLES")[2].partition("A server picks")[0]
        listed = [name for row in table.splitlines() for name in re.findall(r"`([^`]+)`", row)]
        self.assertEqual(listed, list(UNFIT_VARIABLES))
        for prefix in START_UP_VARIABLES:
            self.assertTrue(is_unfit(prefix), prefix)
