//! A build step's name as people read it; it knows nothing of what the step does.

/// A step's name as people read it: without mounts and other options, and without the quotes of the exec form.
pub(crate) fn title(name: &str) -> String {
    let (position, instruction) = match name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((position, instruction)) => (position.rsplit(' ').next(), instruction),
        None => (None, name),
    };
    let words = instruction.split(' ').filter(|word| !word.starts_with("--"));
    let mut text = words.collect::<Vec<_>>().join(" ");
    if let Some((verb, array)) = text.split_once(" [")
        && let Ok(words) = serde_json::from_str::<Vec<String>>(&format!("[{array}"))
    {
        let mut words: Vec<String> = words.into_iter().filter(|word| !word.starts_with("--")).collect();
        // The scripts of our own steps are nobody's business; what they install is.
        if let Some(script) = words.get(1).and_then(|word| word.strip_prefix("/run/rlmesh-sandbox/install/"))
        {
            let name = if script == "apt.sh" { "apt install" } else { "install" };
            words.splice(..2, [name.to_owned()]);
        }
        text = format!("{verb} {}", words.join(" "));
    }
    match position {
        Some(position) => format!("[{position}] {text}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_keep_what_people_look_for() {
        for (name, shown) in [
            (
                "[1/4] FROM docker.io/library/python:3.11-slim",
                "[1/4] FROM docker.io/library/python:3.11-slim",
            ),
            (
                r#"[stage-0 3/4] RUN --mount=type=cache,target=/root/.cache/pip ["python","-m","pip","install","six"]"#,
                "[3/4] RUN python -m pip install six",
            ),
            (
                r#"[2/2] RUN ["pip","install","--require-hashes","-r","lock.txt"]"#,
                "[2/2] RUN pip install -r lock.txt",
            ),
            (
                r#"[3/4] RUN --mount=x ["/bin/sh","/run/rlmesh-sandbox/install/install.sh","--requirements","/opt/rlmesh/source"]"#,
                "[3/4] RUN install /opt/rlmesh/source",
            ),
            (
                r#"[4/4] RUN ["/bin/sh","/run/rlmesh-sandbox/install/apt.sh","libgl1"]"#,
                "[4/4] RUN apt install libgl1",
            ),
            ("[2/3] RUN echo [a] --x", "[2/3] RUN echo [a]"),
            ("exporting to image", "exporting to image"),
        ] {
            assert_eq!(title(name), shown);
        }
    }
}
