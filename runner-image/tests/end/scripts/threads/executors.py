import concurrent.futures

pool = concurrent.futures.ThreadPoolExecutor(2)
futures = [pool.submit(print, "work"), pool.submit(int, "3")]
pool.submit(lambda: 1 / 0)
print(futures[1].result())
