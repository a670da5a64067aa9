//! Requirements that cannot be met, in the words of uv and apt.

use super::*;

/// As uv 0.13 prints them.
#[test]
fn causes_that_uv_lists_are_found() {
    for (output, cause, hint) in [
        (
            "error: Failed to fetch: `https://pypi.org/simple/x/`\n  cause: Request failed\n  cause: HTTP status server error (500)\n",
            "Failed to fetch: `https://pypi.org/simple/x/`: HTTP status server error (500)",
            "read the end",
        ),
        (
            "error: Request failed after 3 retries in 5.1s\n  cause: Failed to fetch: http://nohost.invalid/simple/six/\n  cause: error sending request for url (http://nohost.invalid/simple/six/)\n  cause: client error (Connect)\n  cause: dns error\n  cause: failed to lookup address information: Name or service not known\n",
            "Failed to fetch: http://nohost.invalid/simple/six/: failed to lookup address information: Name or service not known",
            "the package index cannot be reached",
        ),
        (
            "error: Failed to build `gym==0.21.0`\n  cause: The build backend returned an error\n  cause: Call to `x` failed (exit status: 1)\n\n         [stderr]\n         error: no idea\n\nhint: Build failures usually indicate a problem with the package or the build environment\n",
            "Failed to build `gym==0.21.0`: no idea",
            "its build fails",
        ),
        (
            "error: No solution found when resolving dependencies\n  cause: Because ½ holds and x,\n         we can conclude that y.\n         And z.\n",
            "No solution found when resolving dependencies: Because ½ holds and x, we can conclude that y. And z",
            "the packages conflict",
        ),
    ] {
        let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
        assert_eq!(error.to_string(), format!("the image was not built: {cause}"));
        assert!(error.hints()[0].contains(hint), "{error:?}");
    }
}

/// As uv 0.9 prints them.
#[test]
fn causes_in_the_tree_of_uv_are_found() {
    let output = "Using Python 3.11.2 environment at: /usr\n  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of six==99 and you require six==99, we can\n      conclude that your requirements are unsatisfiable.\n\n      hint: You require CPython 3.11 (`cp311`), but we only found wheels for\n      `six` (v99) with the following Python ABI tags: `cp39`, `cp310`\n";
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: six 99 has no wheel for Python 3.11");
    assert_eq!(error.hints(), ["it has wheels for Python 3.10", "pass --base-image python:3.10-slim"]);
    let output = "  × Failed to build `numpy==1.19.5`\n  ├─▶ The build backend returned an error\n  ╰─▶ Call to `x` failed (exit status: 1)\n\n      [stderr]\n      RuntimeError: Broken toolchain: cannot link a simple C program\n";
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: cc is missing to build numpy==1.19.5");
    assert_eq!(error.hints()[1], "pass --apt build-essential");
    let output = output.replace("Broken toolchain: cannot link a simple C program", "oh");
    let error = failed(Some(("[2/3] RUN x", "exit code: 1", &output)), "");
    assert!(
        error.to_string().ends_with("Failed to build `numpy==1.19.5`: Call to `x` failed (exit status: 1)"),
        "{error}"
    );
}

#[test]
fn an_old_release_that_does_not_build_needs_another_python() {
    let output = "Using Python 3.11.2 environment at: /usr\nerror: Failed to build `x==0.1`\n  cause: The build backend returned an error\n\n         [stderr]\n         error: command 'gcc' failed: No such file or directory\nnote: x 0.1 is an old release: 5.0 needs Python >=3.12\n";
    let error = failed(Some((&packages(&["x"]), "exit code: 1", output)), "");
    assert_eq!(error.to_string(), "the image was not built: x 0.1 could not be compiled");
    assert_eq!(
        error.hints(),
        ["it is an old release, because x 5.0 needs another Python", "pass --base-image python:3.12-slim"]
    );
}

#[test]
fn a_requirement_is_blamed_on_what_names_it() {
    let output = "error: No solution found when resolving dependencies\n  cause: Because rlmesh was not found in the package registry and you require rlmesh, we can conclude that your requirements are unsatisfiable.\n";
    let script =
        |arguments: &str| format!(r#"[4/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/{arguments}]"#);
    for (step, hint) in [
        (
            script(r#"install.sh","--requirements","/opt/rlmesh/source""#),
            "requirements.txt names it: check its spelling",
        ),
        (script(r#"install.sh","--lock","/x.txt""#), "the lockfile names it: check its spelling"),
        (script(r#"install.sh","rlmesh==9","gymnasium""#), "--rlmesh-package names it: check its spelling"),
        (script(r#"install.sh","RLMesh>1""#), "-p names it: check its spelling"),
        (script(r#"install.sh","six""#), "check its spelling"),
    ] {
        assert_eq!(failed(Some((&step, "exit code: 1", output)), "").hints(), [hint]);
    }
}

#[test]
fn packages_that_another_release_calls_differently_are_replaced() {
    let step = r#"[3/5] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","git","libgl1-mesa-glx"]"#;
    let error = failed(
        Some((step, "exit code: 100", "E: Package 'libgl1-mesa-glx' has no installation candidate")),
        "",
    );
    assert_eq!(error.hints()[1], "pass --apt libgl1");
    // Only what the user passed is repeated.
    let error = failed(Some((step, "exit code: 100", "E: Unable to locate package libgles2-mesa")), "");
    assert_eq!(error.hints().len(), 1, "{error:?}");
}
