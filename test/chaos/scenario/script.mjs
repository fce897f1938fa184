/** What a script prints first: which start of which attempt this is. The token is made anew by each start. */
export const FIRST_LINE = /^start (\S+) (\d+) ([0-9a-f]{32})\n/;

const SCRIPT = `import json, os, signal, sys, time, uuid
shape = json.loads(SHAPE)
with open(os.path.dirname(os.environ['INPUT_DIR']) + '/job/job.json') as order:
    attempt = json.load(order)['attempt']
token = uuid.uuid4().hex
sys.stdout.write(f"start {os.environ['JOB_ID']} {attempt} {token}\\n")
with open('token', 'w') as file:
    file.write(token)
for at in range(shape['files']):
    os.makedirs(f'folder-{at % 2}', exist_ok=True)
    with open(f'folder-{at % 2}/file-{at}.bin', 'wb') as file:
        piece = f'{at}-'.encode()
        file.write((piece * (shape.get('fileBytes', 0) // len(piece) + 1))[:shape.get('fileBytes', 0)])
line = 0
while shape.get('isEndless') or line < shape['lines']:
    print('line', line, 'x' * (line % 90), flush=True)
    if shape.get('errorEvery') and line % shape['errorEvery'] == 0:
        print('error', line, file=sys.stderr, flush=True)
    line += 1
    if shape['everyMs']:
        time.sleep(shape['everyMs'] / 1000)
if shape.get('killsItself'):
    os.kill(os.getpid(), signal.SIGKILL)
if attempt < shape.get('failsBefore', 0):
    sys.exit(5)
sys.exit(shape.get('exitCode', 0))
`;

/** The Python script of a shape, which says what to print, write and end with. */
export function toScript(shape) {
  return SCRIPT.replace('SHAPE', () => JSON.stringify(JSON.stringify(shape)));
}
