// Unit tests and whole runs of the action's steps, with a stand-in for the program: node --test action/runner.test.js
"use strict";

const assert = require("node:assert");
const childProcess = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const test = require("node:test");

const { input, runArguments, words } = require("./runner.js");

test("options are split as a shell splits them, and nothing is expanded", () => {
  for (const [text, expected] of [
    ["", []],
    ["  \n\t ", []],
    ["-p ale-py\n  -i ale_py", ["-p", "ale-py", "-i", "ale_py"]],
    [`-p 'gymnasium[box2d]' -k a="b c"`, ["-p", "gymnasium[box2d]", "-k", "a=b c"]],
    [`--kwargs '{"a": "it'"'"'s"}'`, ["--kwargs", `{"a": "it's"}`]],
    ["a\\ b \\'", ["a b", "'"]],
    [`"a\\"b" "\\n" '\\'`, [`a"b`, "\\n", "\\"]],
    ["'' \"\"", ["", ""]],
    ["-p a \\\n-p b", ["-p", "a", "-p", "b"]],
    ["$HOME `id` $(id) ; | > # *", ["$HOME", "`id`", "$(id)", ";", "|", ">", "#", "*"]],
  ]) {
    assert.deepStrictEqual(words(text), expected, text);
  }
  for (const text of ["'a", '"a', "a\\"]) assert.throws(() => words(text), text);
});

test("the arguments are those of a run in the background", () => {
  assert.deepStrictEqual(runArguments("CartPole-v1", "-n 2"), ["run", "-d", "--format", "env", "-n", "2", "CartPole-v1"]);
  assert.deepStrictEqual(runArguments("", ""), ["run", "-d", "--format", "env"]);
  for (const own of ["-d", "--format=text", "--format text", "-- sh", "--dry-run", "--owner-pid 1"]) {
    assert.throws(() => runArguments("CartPole-v1", own), /cannot be used here/, own);
  }
});

test("inputs have the runner's names", () => {
  assert.strictEqual(input("working-directory", { "INPUT_WORKING-DIRECTORY": " x " }), "x");
  assert.strictEqual(input("source", {}), "");
  const used = ["source", "options", "version", "working-directory"];
  const action = fs.readFileSync(path.join(__dirname, "../action.yml"), "utf8");
  const inputs = action.split("\noutputs:")[0].split("\ninputs:")[1];
  assert.deepStrictEqual(inputs.match(/^ {2}[a-z-]+(?=:$)/gm).map((name) => name.trim()), used);
});

/** Runs a step with a stand-in for the program, and returns how it ended. */
function step(name, script, variables) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "action-"));
  fs.writeFileSync(path.join(folder, "rlmesh-sandbox"), `#!/bin/sh\necho "$*" >> ${folder}/calls\n${script}\n`, { mode: 0o755 });
  for (const file of ["output", "state", "path"]) fs.writeFileSync(path.join(folder, file), "");
  const environment = {
    PATH: `${folder}:/usr/bin:/bin`,
    RUNNER_TEMP: folder,
    GITHUB_OUTPUT: path.join(folder, "output"),
    GITHUB_STATE: path.join(folder, "state"),
    GITHUB_PATH: path.join(folder, "path"),
    STATE_program: path.join(folder, "rlmesh-sandbox"),
    ...variables,
  };
  const ran = childProcess.spawnSync(process.execPath, [path.join(__dirname, name)], { env: environment, encoding: "utf8" });
  const read = (file) => (fs.existsSync(path.join(folder, file)) ? fs.readFileSync(path.join(folder, file), "utf8") : "");
  const result = { ...ran, folder, calls: read("calls"), outputs: read("output"), state: read("state") };
  fs.rmSync(folder, { recursive: true });
  return result;
}

const STARTED = "RLMESH_SANDBOX_ADDRESS=tcp://127.0.0.1:1\nRLMESH_SANDBOX_CONTAINER_ID=abc\nRLMESH_SANDBOX_IMAGE=x:1";

test("the main step starts the environment and sets the outputs", () => {
  const ran = step("main.js", `echo '${STARTED}'`, { INPUT_SOURCE: "CartPole-v1", INPUT_OPTIONS: "-p 'a b'\n-n 2" });
  assert.strictEqual(ran.status, 0, ran.stdout + ran.stderr);
  assert.strictEqual(ran.calls, "run -d --format env -p a b -n 2 CartPole-v1\n");
  assert.strictEqual(ran.outputs, "address=tcp://127.0.0.1:1\ncontainer-id=abc\nimage=x:1\n");
  assert.strictEqual(ran.state, `container-id=abc\nprogram=${ran.folder}/rlmesh-sandbox\n`);
});

test("a failure has the program's exit code, and is an error of the job", () => {
  const ran = step("main.js", "echo 'error: no' >&2; exit 6", { INPUT_SOURCE: "X-v0" });
  assert.strictEqual(ran.status, 6);
  assert.match(ran.stdout, /\n::error::.* ended with exit code 6\n$/);
  assert.strictEqual(ran.state, "");
  const wrong = step("main.js", "", { INPUT_SOURCE: "X-v0", INPUT_OPTIONS: "-d" });
  assert.strictEqual(wrong.status, 1);
  assert.strictEqual(wrong.calls, "");
  assert.match(step("main.js", "", { INPUT_VERSION: "../x" }).stdout, /::error::\.\.\/x is not a version\n$/);
});

test("what the environment prints gives the runner no commands", () => {
  const ran = step("post.js", "echo '::set-output name=x::y'", { "STATE_container-id": "abc" });
  assert.strictEqual(ran.status, 0);
  assert.strictEqual(ran.calls, "logs --tail 200 abc\nstop abc\n");
  assert.match(ran.stdout, /::stop-commands::(\S+)\n::set-output name=x::y\n::\1::\n::endgroup::\n/);
});

test("the last step stops nothing if nothing was started", () => {
  const ran = step("post.js", "", {});
  assert.deepStrictEqual([ran.status, ran.calls, ran.stdout], [0, "", ""]);
  const failed = step("post.js", '[ "$1" = logs ]', { "STATE_container-id": "abc" });
  assert.strictEqual(failed.status, 1);
});
