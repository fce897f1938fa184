rows = [{"number": number, "text": str(number)} for number in range(20000)]
frame = {row["text"]: row for row in rows}
rows.append(rows)
print(len(frame))
