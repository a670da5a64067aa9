//! Explains environments that start but cannot be served: spaces, an old interface, rewards, infos, and windows.

use crate::error::Change;
use crate::sandbox::failure::{Advice, Case};

/// The spaces that rlmesh serves. If it refuses one of these, the class is another one of the same name.
const SERVED: [&str; 7] = ["Box", "Discrete", "MultiDiscrete", "MultiBinary", "Text", "Dict", "Tuple"];

/// Explains what rlmesh or the interface of the environment refuses.
pub(super) fn advice(case: &Case<'_>) -> Option<Advice> {
    case.log.exceptions().find_map(|text| space(case, text).or_else(|| call(case, text)))
}

fn space(case: &Case<'_>, text: &str) -> Option<Advice> {
    let (_, kind) = text.split_once("Unsupported space type: ")?;
    let kind = kind.trim();
    if kind == "MissionSpace" {
        return Some(Advice::with(
            "rlmesh cannot serve the mission of this environment: a wrapper keeps only the image of each observation",
            case.add("--wrap", "minigrid.wrappers:ImgObsWrapper"),
        ));
    }
    if SERVED.contains(&kind) {
        return Some(Advice::with(
            "this is an environment of OpenAI's gym, not of Gymnasium: use a version of its package that uses gymnasium",
            None,
        ));
    }
    Some(Advice::hint(format!(
        "rlmesh serves {} spaces: wrap the environment in a class that turns the space into one of them, with --wrap MODULE:CLASS",
        SERVED.join(", ")
    )))
}

fn call(case: &Case<'_>, text: &str) -> Option<Advice> {
    let has = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
    if has(&["reset() got an unexpected keyword argument", "not enough values to unpack (expected 5, got 4)"])
        || (has(&["too many values to unpack (expected 2)"]) && case.log.has("reset"))
    {
        return Some(Advice::hint(
            "the environment has the interface of gym before 0.26: use a newer version of its package, or change it to reset(seed=…, options=…) → (observation, info) and step(action) → five values",
        ));
    }
    let reward_is_list = has(&[
        "only 0-dimensional arrays can be converted to Python scalars",
        "only length-1 arrays can be converted to Python scalars",
        "only size-1 arrays can be converted",
        "must be real number, not list",
        "must be real number, not dict",
        "must be real number, not tuple",
        "must be real number, not numpy.ndarray",
        "'ndarray' object is not an instance of 'bool'",
        "'list' object is not an instance of 'bool'",
    ]);
    if reward_is_list && case.log.has("step") {
        let wrapper = match case.packages().iter().any(|package| package.starts_with("mo-gymnasium")) {
            true => "mo_gymnasium.wrappers:LinearReward",
            false => "rlmesh_sandbox.wrappers:SumReward",
        };
        return Some(Advice::with(
            "the environment returns several rewards at each step, but rlmesh sends one number: a wrapper adds them up",
            case.add("--wrap", wrapper),
        ));
    }
    if has(&["must define make_env("]) {
        return Some(Advice::hint(
            "env.py needs a function make_env that returns the environment: `rlmesh-sandbox init FOLDER` writes an example",
        ));
    }
    if has(&["hf env mapping must be a mapping"]) {
        return Some(Advice::hint(
            "make_env in env.py must return an environment, a vector environment, or a dict of suites of tasks",
        ));
    }
    if ["SyntaxError: ", "IndentationError: ", "TabError: "].iter().any(|name| text.starts_with(name)) {
        return Some(Advice::hint(
            "Python cannot read this file: correct it, or if it belongs to a package, use another version of the package",
        ));
    }
    if has(&["must be real number, not NoneType"]) {
        return Some(Advice::hint(
            "the environment returns None as the reward: wrap it with --wrap MODULE:CLASS",
        ));
    }
    if has(&["assignment destination is read-only", "output array is read-only"]) {
        return Some(Advice::with(
            "the environment writes to the action, which is read-only: a wrapper passes a copy",
            case.add("--wrap", "rlmesh_sandbox.wrappers:CopyAction"),
        ));
    }
    if has(&["is not supported in RLMesh metadata"]) {
        return Some(Advice::with(
            "the environment's info contains a value that rlmesh cannot send: a wrapper empties the info",
            case.add("--wrap", "rlmesh_sandbox.wrappers:NoInfo"),
        ));
    }
    if has(&["'list' object is not an instance of 'dict'"]) {
        return Some(Advice::hint(
            "a dict space has keys that are not texts: wrap the environment with --wrap MODULE:CLASS, so that they are",
        ));
    }
    if has(&["invalid literal for int() with base 10: np.str_", "render() returned str"]) {
        return Some(render_as_array(
            case,
            "rlmesh sends frames as arrays, and this render mode returns text",
        ));
    }
    None
}

/// Explains that the environment opens a window.
pub(super) fn display(case: &Case<'_>) -> Option<Advice> {
    const SIGNS: [&str; 9] = [
        "No available video device",
        "NoSuchDisplayException",
        "Cannot connect to \"None\"",
        "couldn't connect to display",
        "no display name and no $DISPLAY",
        "The DISPLAY environment variable is missing",
        "Failed to initialize SDL",
        "could not connect to display",
        "GLFWError",
    ];
    let text = case.log.exceptions().find(|text| SIGNS.iter().any(|sign| text.contains(sign)))?;
    if text.contains("video device") || text.contains("SDL") {
        let mut advice =
            render_as_array(case, "the environment opens a window, and a container has no display");
        if advice.changes.is_empty() {
            advice.changes.extend(case.add("-e", "SDL_VIDEODRIVER=dummy"));
        }
        return Some(advice);
    }
    Some(render_as_array(case, "the environment opens a window, and a container has no display"))
}

/// Advice to render to an array.
fn render_as_array(case: &Case<'_>, why: &str) -> Advice {
    let mode = case.plan.serving.kwargs.get("render_mode").and_then(serde_json::Value::as_str);
    match mode.filter(|mode| matches!(*mode, "human" | "ansi")) {
        Some(mode) => Advice::with(
            why,
            Some(Change::Replace {
                option: "-k",
                old: format!("render_mode={mode}"),
                new: "render_mode=rgb_array".to_owned(),
            }),
        ),
        None => Advice::hint(format!("{why}: use -k render_mode=rgb_array if the environment has it")),
    }
}
