const undoings = [];

/** Has `undo` called when the figure is over, however it ends; the last one first. Returns how to do it earlier. */
export function atEnd(undo) {
  let isDone = false;
  const once = async () => {
    if (isDone) return;
    isDone = true;
    await undo();
  };
  undoings.push(once);
  return once;
}

let cleaning;

/** Undoes all of it, once: whoever asks again, as a second signal does, waits for the same. */
export function cleanUp() {
  cleaning ??= undoAll();
  return cleaning;
}

/** Also what is begun meanwhile: an interrupted run may be about to start a server. */
async function undoAll() {
  for (let undo = undoings.pop(); undo; undo = undoings.pop())
    await undo().catch((error) => console.error(`not cleaned up: ${error.message}`));
}
