// The main step of the action: installs the program, starts the environment, and sets the outputs.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const { append, error, input, output, runArguments, values } = require("./runner.js");

const CHECKOUT = path.join(__dirname, "..");

/** The version in Cargo.toml. */
function ownVersion() {
  const manifest = fs.readFileSync(path.join(CHECKOUT, "Cargo.toml"), "utf8");
  return /^version = "(.+)"$/m.exec(manifest)[1];
}

/** The program on PATH, if there is one. */
function installed() {
  const name = "rlmesh-sandbox";
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, name)).find((file) => fs.existsSync(file));
}

/** Installs the program below the runner's temporary folder, and returns its path. */
function install(version) {
  const folder = fs.mkdtempSync(path.join(process.env.RUNNER_TEMP ?? "/tmp", "rlmesh-sandbox-"));
  if (version === "checkout") {
    output("cargo", ["install", "--locked", "--quiet", "--path", CHECKOUT, "--root", folder]);
  } else {
    if (!/^[0-9][0-9A-Za-z.+-]*$/.test(version)) throw new Error(`${version} is not a version`);
    output("python3", ["-m", "venv", folder]);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    output(path.join(folder, "bin", "python"), [...pip, `rlmesh-sandbox==${version}`]);
  }
  // For later steps too: logs, inspect, run.
  if (process.env.GITHUB_PATH) fs.appendFileSync(process.env.GITHUB_PATH, `${path.join(folder, "bin")}\n`);
  return path.join(folder, "bin", "rlmesh-sandbox");
}

function main() {
  const args = runArguments(input("source"), input("options"));
  const version = input("version");
  const program = (version === "" && installed()) || install(version || ownVersion());
  const started = values(output(program, args, { cwd: input("working-directory") || undefined }));
  const [address, id, image] = ["ADDRESS", "CONTAINER_ID", "IMAGE"].map((name) => started[`RLMESH_SANDBOX_${name}`]);
  // First, so that the container is stopped whatever happens.
  append("GITHUB_STATE", "container-id", id);
  append("GITHUB_STATE", "program", program);
  append("GITHUB_OUTPUT", "address", address);
  append("GITHUB_OUTPUT", "container-id", id);
  append("GITHUB_OUTPUT", "image", image);
}

try {
  main();
} catch (failure) {
  error(failure.message);
  process.exitCode = failure.status || 1;
}
