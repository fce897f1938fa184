import asyncio


async def fail():
    raise ValueError("unseen")


async def main():
    kept.append(asyncio.ensure_future(fail()))
    await asyncio.sleep(0)


kept = []
asyncio.run(main())
