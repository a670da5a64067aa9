//! Manifests, checked with the schemas of Kubernetes.

use super::engine::Live;
use super::python::SCHEMAS;

const VALIDATE: &str = "
import json, sys, kubernetes_validate
documents = json.loads(sys.argv[1])
for version in sys.argv[2:]:
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
print(len(documents))
";

#[test]
fn kubernetes_accepts_every_manifest() {
    let live = Live::new();
    for line in ["-N 3 -k a=$b", "-N 2 --ttl 90m --memory 1500m --cpus 0.5 -n 4"] {
        let arguments = ["-q", "manifest", "CartPole-v1", "--format", "json"];
        let manifest =
            live.run(&[&arguments[..], &line.split(' ').collect::<Vec<_>>()].concat()).ended(0).stdout;
        assert_eq!(SCHEMAS.script(VALIDATE, &[&manifest, "1.25", "1.30", "1.37"], |_| {}).trim(), "3");
    }
}
