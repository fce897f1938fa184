"""The script's process of a worker: it imports libraries, and then waits for its order."""

import os

from ..contract import EXIT_RUNNER_FAILED, OUTPUT_DIR, SCRIPT_FILE
from ..end import prepare_end
from ..json_text import parse_json
from ..order import Order
from ..script import (
    await_go,
    base_environment,
    become_clean_process,
    become_script_module,
    give_up,
    link_font_list,
    prepare_script,
    replace_environment,
    script_environment,
)
from .messages import read_message, say
from .preload import NOTHING_PRELOADED, PreloadFailed, preload


def warm_script_process(child, modules):
    """The forked child of a worker: what a script finds, then libraries, then the order, then as in a cold start."""
    try:
        end = prepare_end()
        outputs = [pipe.script_end for pipe in child.pipes]
        base = base_environment()
        # What an import prints is not the script's: it goes where the runner complains.
        become_clean_process(2, 2, keep=(child.script_ready, child.script_go, *outputs))
        link_font_list(base)
        os.chdir(OUTPUT_DIR)
        replace_environment(base)
        become_script_module()
        # The first compilation makes all types of the syntax tree, 2 ms that the script need not wait for.
        compile("", SCRIPT_FILE, "exec")
        report = NOTHING_PRELOADED
        if modules:
            report = preload(modules, child.script_ready)
            end.freeze_libraries()
        say(child.script_ready, {"ready": report})
        data = read_message(child.script_go)
        for fd, number in zip(outputs, (1, 2)):
            os.dup2(fd, number)
            os.close(fd)
        order = Order(parse_json(data.decode()))
        script = prepare_script(order, script_environment(base, order, {}))
    except PreloadFailed as failure:
        say(child.script_ready, {"failed": {"module": failure.module, "reason": str(failure)}})
        os._exit(EXIT_RUNNER_FAILED)
    except BaseException as error:
        give_up(child, error)
    await_go(child)
    return script
