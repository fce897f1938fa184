import multiprocessing


def work(number):
    print("child", number)
    return number * 2


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    process = context.Process(target=work, args=(1,))
    process.start()
    process.join()
    pool = context.Pool(1)
    print(pool.map(len, ["abc"]))
