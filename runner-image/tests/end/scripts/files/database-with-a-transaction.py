import sqlite3

connection = sqlite3.connect("left.db")
connection.execute("create table t (n)")
connection.commit()
connection.execute("insert into t values (1)")
