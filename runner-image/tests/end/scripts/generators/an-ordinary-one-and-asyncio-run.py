import asyncio


def plain():
    yield 1
    yield 2


async def main():
    await asyncio.sleep(0)
    return 5


kept = plain()
print(next(kept), asyncio.run(main()))
