//! The names in modules and folders, and prebuilt images.

use super::*;

#[test]
fn a_prebuilt_image_gets_no_options_of_a_build() {
    for line in [
        "ModuleNotFoundError: No module named 'cv2'",
        "ImportError: libGL.so.1: cannot open shared object file",
    ] {
        let diagnosis = startup(&samples::prebuilt("x"), DEAD, &traceback(line), &Facts::default());
        assert_eq!(diagnosis.changes, [], "{line}");
        assert!(!diagnosis.hints.is_empty());
    }
}

#[test]
fn a_name_that_a_module_does_not_have_is_corrected() {
    for (error, hint, changes) in [
        (
            "RuntimeError: --import own:regster failed: the module own has no regster; similar names are register, resister",
            "the module has a similar name",
            "-i own:register",
        ),
        (
            "RuntimeError: --wrap own:Zebra failed: the module own has no Zebra",
            "after the colon of --wrap",
            "",
        ),
        (
            "RuntimeError: --wrap a:B failed: the module a has no B; similar names are $(x)",
            "after the colon of --wrap",
            "",
        ),
    ] {
        let mut plan = plan("X-v0");
        let other = startup(&plan, DEAD, &traceback(error), &Facts::default());
        assert_eq!(words(&other), "", "the user did not give it");
        (spec(&mut plan).imports, spec(&mut plan).wrap) =
            (vec!["own:regster".to_owned()], vec!["own:Zebra".to_owned(), "a:B".to_owned()]);
        let found = startup(&plan, DEAD, &traceback(error), &Facts::default());
        assert!(found.hints[0].contains(hint), "{found:?}");
        assert_eq!(words(&found), changes);
    }
}

/// The sentence is that of `package_env.py`.
#[test]
fn a_package_of_a_folder_offers_its_environments() {
    let sentence = " registers these environments: ";
    assert!(crate::plan::folder::PACKAGE_ENV.contains(sentence));
    let log = traceback(&format!("RuntimeError: the package my-pkg{sentence}$(x), My/A-v0, My/B-v0"));
    let mut plan = samples::plan(samples::folder());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    assert_eq!(words(&found), "", "its own env.py may print anything");
    let ResolvedSource::Folder(folder) = &mut spec(&mut plan).source else { unreachable!() };
    folder.added_env = Some(String::new());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    assert_eq!(
        (words(&found).as_str(), found.hints[0].as_str()),
        ("-k id=My/A-v0", "choose one of these environments")
    );
    plan.serving.kwargs.insert("id".to_owned(), "My/b-v1".into());
    let found = startup(&plan, DEAD, &log, &Facts::default());
    let change = Change::Replace { option: "-k", old: "id=My/b-v1".to_owned(), new: "id=My/B-v0".to_owned() };
    assert_eq!(found.changes, [change]);
}
