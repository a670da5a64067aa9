//! Failures that a look into the image explains.

use super::*;

/// What a look into the image of PushT found.
#[test]
fn all_libraries_of_the_failing_packages_are_named_at_once() {
    let facts: Facts = serde_json::from_str(
        r#"{"missing": {"libGL.so.1": ["cv2"], "libX11.so.6": ["pygame"], "libglib-2.0.so.0": ["cv2", "pygame"], "libgthread-2.0.so.0": ["cv2", "pygame"], "libxcb.so.1": ["cv2"]}}"#,
    )
    .unwrap();
    let error = "ImportError: libxcb.so.1: cannot open shared object file: No such file or directory";
    let expected = "--apt libgl1 --apt libglib2.0-0 --apt libxcb1";
    let log = traceback(error).replace("pack/", "cv2/");
    assert_eq!(question(&plan("X-v0"), &log), Some(Question::Libraries));
    assert_eq!(words(&startup(&plan("X-v0"), DEAD, &log, &facts)), expected);
    // Without frames: those of the package that needs it.
    let log = format!("Traceback (most recent call last):\n{error}\n");
    assert_eq!(words(&startup(&plan("X-v0"), DEAD, &log, &facts)), expected);
    let mut given = plan("X-v0");
    spec(&mut given).apt = vec!["libxcb1".to_owned(), "libgl1".to_owned()];
    assert_eq!(words(&startup(&given, DEAD, &log, &facts)), "--apt libglib2.0-0");
}

#[test]
fn what_the_packages_register_is_listed() {
    let log = traceback("gymnasium.error.NameNotFound: Environment `Okk` doesn't exist in namespace sf.");
    let mut plan = plan("sf/Okk-v0");
    assert_eq!(question(&plan, &log), None, "there is nothing to look for");
    spec(&mut plan).imports = vec!["sfenvs".to_owned()];
    spec(&mut plan).packages = vec!["sf-envs".to_owned()];
    assert_eq!(question(&plan, &log), Some(Question::Environments));
    let explained = |json: &str| {
        let facts: Facts = serde_json::from_str(json).unwrap();
        let diagnosis = startup(&plan, DEAD, &log, &facts.checked());
        (diagnosis.hints[0].clone(), words(&diagnosis))
    };
    let (hint, changes) = explained(r#"{"registered": ["sf/Ok-v0", "sf/Other-v1", "; rm -rf /"]}"#);
    assert_eq!(
        (hint.as_str(), changes.as_str()),
        ("the packages register sf/Ok-v0, sf/Other-v1", "sf/Ok-v0")
    );
    let (_, changes) = explained(r#"{"registered": ["sf/Walk-v0", "sf/Other-v1"]}"#);
    assert_eq!(changes, "", "neither is likely");
    let (hint, changes) = explained(r#"{"callables": ["sfenvs:register_envs", "sfenvs:a b"]}"#);
    assert!(hint.contains("a function may") && changes == "-i sfenvs:register_envs", "{hint} {changes}");
    let (hint, changes) = explained(r#"{"others": {"sf.more": ["sf/Okk-v0"]}}"#);
    assert_eq!((hint.as_str(), changes.as_str()), ("the module sf.more registers sf/Okk-v0", "-i sf.more"));
    let (hint, _) = explained(r#"{"modules": {"sf-envs": ["sfenvs", "sf"]}}"#);
    assert!(hint.contains("register no environment") && hint.contains("(sfenvs, sf)"), "{hint}");
}

#[test]
fn a_module_under_another_name_is_replaced() {
    let log = traceback("ModuleNotFoundError: No module named 'gympusht'");
    let mut plan = plan("CartPole-v1");
    spec(&mut plan).imports = vec!["gympusht".to_owned()];
    assert_eq!(question(&plan, &log), Some(Question::Environments));
    let facts = Facts {
        modules: BTreeMap::from([("gym-pusht".to_owned(), vec!["gym_pusht".to_owned()])]),
        ..Facts::default()
    };
    let diagnosis = startup(&plan, DEAD, &log, &facts);
    let expected = Change::Replace { option: "-i", old: "gympusht".to_owned(), new: "gym_pusht".to_owned() };
    assert_eq!(diagnosis.changes, [expected]);
}
