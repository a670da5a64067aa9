//! What the user wants: flags over environment variables over defaults, read once and checked.

pub(crate) mod build;
pub(crate) mod hub;
pub(crate) mod kwargs;
pub(crate) mod package_index;
pub(crate) mod sandbox;
pub(crate) mod size;
pub(crate) mod variables;
