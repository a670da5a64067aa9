// The last step of the action: shows the environment's log, and stops it.
"use strict";

const { error, output } = require("./runner.js");

/** What the main step left: the runner sets a variable for it. */
function state(name) {
  return process.env[`STATE_${name}`] ?? "";
}

const [id, program] = [state("container-id"), state("program")];
if (id !== "" && program !== "") {
  process.stdout.write("::group::log of the environment\n");
  try {
    output(program, ["logs", "--tail", "200", id], { stdio: ["ignore", "inherit", "inherit"] });
  } catch {
    process.stdout.write("there is no log\n");
  }
  process.stdout.write("::endgroup::\n");
  try {
    output(program, ["stop", id]);
  } catch (failure) {
    error(failure.message);
    process.exitCode = 1;
  }
}
