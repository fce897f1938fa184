import asyncio
import json
import types


class Module(types.ModuleType):
    def __del__(self):
        print("gone:", self.__name__)


asyncio.queues.__class__ = json.__class__ = Module
