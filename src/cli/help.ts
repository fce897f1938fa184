export const EXAMPLES = `Examples:
  maps run hello.py --follow                      run a script here and see what it prints
  maps run report.py --request '{"year":2026}'    reaches the script as /input/request.json
  maps run sum.py --file data.csv --download out  send a file, get back what the script left in /output
  maps list --state running                       what runs now
  maps logs -f 0199…                              go on watching a job
`;

export const RUN_EXAMPLES = `Examples:
  maps run hello.py                               prints the id of the job and leaves
  maps run hello.py --follow                      stays: output, errors and exit code are the script's
  maps run sum.py --file data.csv --request @request.json --download out/
  maps run map.py --file roads/a.geojson=a.geojson --timeout 5m --memory 2g
  echo 'print(6 * 7)' | maps run - --follow
`;

export const ENVIRONMENT = `
Environment:
  MAPS_SERVER           address of the service (default http://127.0.0.1:8000)
  MAPS_API_TOKEN        the token it asks for
  MAPS_API_TOKEN_FILE   or a file that holds it
  NO_COLOR              no colours

Exit codes: 0 success; the script's own with --follow (128+n: ended by signal n); 124 timed out;
125 the service or the way to it failed; 126 refused: the command or the request is wrong; 130 interrupted.
`;
