//! Explains missing Python modules: modules → packages.

use crate::error::Change;
use crate::plan::ResolvedSource;
use crate::sandbox::failure::{Advice, Case, near};

/// Modules and the packages that contain them, where the names differ.
const PACKAGES: &[(&str, &str)] = &[
    ("Box2D", "gymnasium[box2d]"),
    ("Crypto", "pycryptodome"),
    ("OpenEXR", "openexr"),
    ("OpenGL", "PyOpenGL"),
    ("PIL", "pillow"),
    ("absl", "absl-py"),
    ("ale_py", "ale-py"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cairo", "pycairo"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("distutils", "setuptools<81"),
    ("dm_control", "dm-control"),
    ("dm_env", "dm-env"),
    ("docx", "python-docx"),
    ("dotenv", "python-dotenv"),
    ("dns", "dnspython"),
    ("ffmpeg", "ffmpeg-python"),
    ("fitz", "pymupdf"),
    ("git", "gitpython"),
    ("google.protobuf", "protobuf"),
    ("grpc", "grpcio"),
    ("gym_aloha", "gym-aloha"),
    ("gym_pusht", "gym-pusht"),
    ("gym_xarm", "gym-xarm"),
    ("gymnasium_robotics", "gymnasium-robotics"),
    ("hid", "hidapi"),
    ("hydra", "hydra-core"),
    ("jwt", "pyjwt"),
    ("kornia_rs", "kornia-rs"),
    ("magic", "python-magic"),
    ("mo_gymnasium", "mo-gymnasium"),
    ("moviepy.editor", "moviepy<2"),
    ("mpl_toolkits", "matplotlib"),
    ("msgpack_numpy", "msgpack-numpy"),
    ("mujoco_py", "mujoco-py"),
    ("OpenSSL", "pyopenssl"),
    ("pkg_resources", "setuptools<81"),
    ("pybullet_data", "pybullet"),
    ("pydantic_settings", "pydantic-settings"),
    ("pygame", "pygame-ce"),
    ("pyglet.gl", "pyglet<2"),
    ("pythoncom", "pywin32"),
    ("ruamel", "ruamel.yaml"),
    ("sb3_contrib", "sb3-contrib"),
    ("serial", "pyserial"),
    ("setuptools", "setuptools<81"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("skopt", "scikit-optimize"),
    ("sksparse", "scikit-sparse"),
    ("slugify", "python-slugify"),
    ("stable_baselines3", "stable-baselines3"),
    ("umap", "umap-learn"),
    ("usb", "pyusb"),
    ("win32api", "pywin32"),
    ("wx", "wxpython"),
    ("xdg", "pyxdg"),
    ("yaml", "pyyaml"),
    ("zmq", "pyzmq"),
];

const OWN_CODE: &str =
    "your own code must be in the folder, and neither .gitignore nor .dockerignore may list it";

/// The module that an exception names as missing.
fn missing(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("No module named ")?;
    let name = rest.trim_start_matches('\'').split(['\'', ';', ' ', '"']).next()?.trim_end_matches('.');
    is_module(name).then_some(name)
}

/// Whether a text from outside is a module: plain, and not too long.
pub(super) fn is_module(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.len() <= 100 && text.split('.').all(is_word)
}

/// Whether the log is about a module that the user told to import, so that a look into the image helps.
pub(super) fn is_users_import(case: &Case<'_>) -> bool {
    case.log.exceptions().filter_map(missing).any(|module| case.imports().any(|import| import == module))
}

/// Explains a missing module.
pub(super) fn advice(case: &Case<'_>) -> Option<Advice> {
    let module = case.log.exceptions().find_map(missing)?;
    if module.split('.').next() == Some("rlmesh") {
        return Some(Advice::hint(
            "the image has no rlmesh package: check --rlmesh-package, or use a prebuilt image that has it",
        ));
    }
    if module == "tkinter" || module == "_tkinter" {
        return Some(Advice::hint(
            "tkinter is part of Python: use a base image whose Python has it (--base-image); with Debian's own Python, pass --apt python3-tk",
        ));
    }
    if let Some(advice) = other_module(case, module) {
        return Some(advice);
    }
    let top = module.split('.').next().unwrap_or(module);
    let known = [module, top].iter().find_map(|name| PACKAGES.iter().find(|(known, _)| known == name));
    if known.is_none() && module != top {
        return Some(Advice::hint(format!(
            "the installed {top} has no module {module}, but another version of it may have: pass -p '{top}==VERSION', or install what was newest on a date with --as-of DATE"
        )));
    }
    let family = crate::source::families::by_import(top);
    if let Some(package) = known.map(|(_, package)| *package) {
        return Some(found(case, module, package, ""));
    }
    if let Some(package) = family.and_then(|family| family.packages.first()) {
        return Some(found(case, module, package, ""));
    }
    if is_of_the_repository(case) {
        return Some(Advice::hint(format!(
            "the repository's requirements.txt does not list what contains the module {module}: pass its package with -p; if it is the repository's own code, it must be next to env.py"
        )));
    }
    let package = top.replace('_', "-");
    let package = package.trim_matches('-');
    case.add("-p", package)?;
    let advice = found(case, module, package, "; this helps if the package has the same name");
    Some(match is_of_a_folder(case) {
        true => Advice { hints: advice.hints.into_iter().chain([OWN_CODE.to_owned()]).collect(), ..advice },
        false => advice,
    })
}

fn found(case: &Case<'_>, module: &str, package: &str, more: &str) -> Advice {
    let change = case.add("-p", package);
    let hint = match change {
        Some(_) => format!("the image lacks the module {module}{more}"),
        None => {
            format!("{package} is installed, but has no module {module}: pass another version of it with -p")
        }
    };
    Advice { hints: vec![hint], changes: change.into_iter().collect() }
}

/// The module that the user's package has instead of the one to import.
fn other_module(case: &Case<'_>, module: &str) -> Option<Advice> {
    let import = case.imports().find(|import| *import == module)?.to_owned();
    let modules: Vec<&String> = case.facts.modules.values().flatten().collect();
    if modules.is_empty() || modules.iter().any(|other| **other == import) {
        return None;
    }
    let list = modules.iter().take(8).map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    let nearest = match modules[..] {
        [only] => Some(only),
        _ => modules.iter().find(|other| near(other, &import)).copied(),
    };
    Some(Advice {
        hints: vec![format!("the packages given with -p have no module {import}; they have: {list}")],
        changes: nearest
            .map(|new| Change::Replace { option: "-i", old: import, new: new.clone() })
            .into_iter()
            .collect(),
    })
}

fn is_of_a_folder(case: &Case<'_>) -> bool {
    case.plan.build().is_some_and(|build| matches!(build.spec.source, ResolvedSource::Folder(_)))
}

fn is_of_the_repository(case: &Case<'_>) -> bool {
    case.plan.build().is_some_and(|build| matches!(build.spec.source, ResolvedSource::Hf { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_what_python_prints() {
        for (text, module) in [
            ("ModuleNotFoundError: No module named 'cv2'", Some("cv2")),
            ("/usr/bin/python: No module named rlmesh._bootstrap", Some("rlmesh._bootstrap")),
            ("ModuleNotFoundError: No module named 'a.b'; 'a' is not a package", Some("a.b")),
            ("ModuleNotFoundError: No module named 'x; rm -rf /'", Some("x")),
            ("ModuleNotFoundError: No module named '$(x)'", None),
            ("ModuleNotFoundError: No module named '", None),
        ] {
            assert_eq!(missing(text), module, "{text}");
        }
    }
}
