//! Whether a text is an image reference, by the grammar of the distribution specification.

/// `[registry[:port]/]path[:tag][@digest]`, with the path in lower case, as every Docker client takes it.
pub(crate) fn is_image_reference(text: &str) -> bool {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    // A colon behind the last slash begins the tag; one before it belongs to the registry's port.
    let last_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last_slash..].find(':') {
        Some(colon) => (&rest[..last_slash + colon], Some(&rest[last_slash + colon + 1..])),
        None => (rest, None),
    };
    let path = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => path,
        _ => name,
    };
    name.len() <= 255
        && path.split('/').all(is_path_component)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// Whether the first part of a reference is a registry, as docker decides it.
fn is_registry(part: &str) -> bool {
    let looks_like_one =
        part == "localhost" || part.contains(['.', ':']) || part.contains(|c: char| c.is_ascii_uppercase());
    let (host, port) = part.split_once(':').unwrap_or((part, "0"));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    looks_like_one
        && host.split('.').all(is_label)
        && !port.is_empty()
        && port.chars().all(|c| c.is_ascii_digit())
}

/// Lower-case letters and digits in runs, joined by one dot, one or two underscores, or any number of dashes.
fn is_path_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_joint = |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|c| c == '-');
    part.starts_with(is_word) && part.ends_with(is_word) && part.split(is_word).all(is_joint)
}

fn is_tag(tag: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(is_word) && tag.len() <= 128 && tag.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && algorithm.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '.' | '-' | '_'))
            && hex.len() >= 32
            && hex.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_docker_takes() {
        for text in [
            "python",
            "python:3.11-slim",
            "ghcr.io/astral-sh/uv:python3.12-bookworm-slim",
            "localhost/x",
            "localhost:5000/a/b__c/d--e.f:TAG_1",
            "registry:5000/x",
            "HOST/x",
            "10.0.0.1:80/x@sha256:0123456789abcdef0123456789abcdef",
            "a/b:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ] {
            assert!(is_image_reference(text), "{text}");
        }
    }

    #[test]
    fn what_docker_refuses() {
        for text in [
            "",
            "-x",
            "a b",
            "Python:3.11",
            "python:",
            "python:3.11:x",
            "python:-x",
            "a//b",
            "/a",
            "a/",
            "a___b",
            "a..b",
            "_a",
            "a@sha256:12",
            "a@",
            "a$b",
            "é",
            "host.:x/a",
        ] {
            assert!(!is_image_reference(text), "{text}");
        }
    }
}
