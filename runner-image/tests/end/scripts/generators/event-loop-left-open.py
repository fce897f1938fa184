import asyncio


async def numbers():
    try:
        yield 1
    finally:
        print("closed")


async def forever():
    try:
        await asyncio.sleep(3600)
    finally:
        print("cancelled")


async def main():
    async for number in kept:
        print(number)
        break
    tasks.append(asyncio.get_running_loop().create_task(forever()))
    await asyncio.sleep(0)


kept, tasks = numbers(), []
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
