//! Tests of the explanations of failed starts.

mod ends;
mod environments;
mod found;
mod known;
mod untrusted;

use super::*;
use crate::plan::samples;

const DEAD: Option<ContainerEnd> = Some(ContainerEnd { exit_code: 1, is_out_of_memory: false });

fn plan(env_id: &str) -> Plan {
    samples::plan(samples::gym(env_id))
}

fn spec(plan: &mut Plan) -> &mut crate::plan::EffectiveSpec {
    match &mut plan.image {
        crate::plan::PlannedImage::Built(build) => &mut build.spec,
        crate::plan::PlannedImage::Prebuilt(_) => panic!("it is prebuilt"),
    }
}

/// A log whose only traceback ends with a line.
fn traceback(line: &str) -> String {
    format!(
        "Traceback (most recent call last):\n  File \"/usr/local/lib/python3.11/site-packages/pack/env.py\", line 3, in f\n    g()\n{line}\n"
    )
}

fn words(diagnosis: &Diagnosis) -> String {
    diagnosis.changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" ")
}
