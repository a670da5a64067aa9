// What the steps of the action share: inputs, outputs, commands and messages of the GitHub Actions runner.
"use strict";

const childProcess = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");

// Options that the action sets itself, or that would leave it without a container to stop.
const OWN = ["-d", "--detach", "--format", "--json", "--owner-pid", "--dry-run", "--help", "-h", "--version", "-V", "--"];

/** An input of the action, without white space around it. */
function input(name, environment = process.env) {
  return (environment[`INPUT_${name.replaceAll(" ", "_").toUpperCase()}`] ?? "").trim();
}

/** The words of a text, as a shell reads them: white space separates, quotes and backslashes keep it. Nothing else has
 * a meaning: no variable and no command is expanded. */
function words(text) {
  const found = [];
  let word = null;
  let quote = null;
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    const next = text[at + 1];
    if (quote === "'" ? c === "'" : quote === '"' && c === '"') {
      quote = null;
    } else if (c === "\\" && quote !== "'") {
      if (next === undefined) throw new Error("the options end with a backslash");
      at++;
      // A backslash at the end of a line joins it with the next one.
      if (next === "\n") continue;
      const keeps = quote === '"' && !['"', "\\", "$", "`"].includes(next);
      word = (word ?? "") + (keeps ? c : "") + next;
    } else if (quote !== null) {
      word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word = word ?? "";
    } else if (/\s/.test(c)) {
      if (word !== null) found.push(word);
      word = null;
    } else {
      word = (word ?? "") + c;
    }
  }
  if (quote !== null) throw new Error(`the options have an opening ${quote} without a closing one`);
  if (word !== null) found.push(word);
  return found;
}

/** The arguments of `rlmesh-sandbox` for the inputs. */
function runArguments(source, options) {
  const given = words(options);
  const own = given.find((word) => OWN.includes(word.split("=")[0]));
  if (own !== undefined) throw new Error(`the option ${own} cannot be used here: the action sets how the environment runs`);
  return ["run", "-d", "--format", "env", ...given, ...(source === "" ? [] : [source])];
}

/** A text for the value of a command of the runner. */
function escaped(text) {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function error(message) {
  process.stdout.write(`::error::${escaped(message)}\n`);
}

/** Appends NAME=VALUE to a file of the runner, such as that of GITHUB_OUTPUT. */
function append(variable, name, value) {
  const file = process.env[variable];
  if (/[\r\n]/.test(value)) throw new Error(`${name} has more than one line`);
  if (file) fs.appendFileSync(file, `${name}=${value}${os.EOL}`);
}

/** The values of the NAME=VALUE lines that `--format env` prints. */
function values(text) {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** Runs `run`, in which the runner reads no commands: what the environment prints is not trusted. */
function withoutCommands(run) {
  const token = crypto.randomUUID();
  process.stdout.write(`::stop-commands::${token}\n`);
  try {
    return run();
  } finally {
    process.stdout.write(`::${token}::\n`);
  }
}

/** Runs a program without a shell, and returns its stdout. What it prints to stderr is shown. */
function output(program, args, options = {}) {
  const ran = withoutCommands(() =>
    childProcess.spawnSync(program, args, {
      stdio: ["ignore", "pipe", "inherit"],
      encoding: "utf8",
      maxBuffer: 16 << 20,
      ...options,
    }),
  );
  if (ran.error) throw new Error(`${program} cannot be run: ${ran.error.message}`);
  if (ran.status !== 0) {
    const failure = new Error(`${program} ended with ${ran.signal ?? `exit code ${ran.status}`}`);
    failure.status = ran.status;
    throw failure;
  }
  return ran.stdout;
}

module.exports = { append, error, input, output, runArguments, values, words };
