//! `prune`: removes images, builders, cached files and logs that are not needed any more.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::cli::PruneArgs;
use crate::commands::Session;
use crate::engine::docker::Docker;
use crate::error::{Exit, SandboxError, cannot_write};
use crate::host::logs;
use crate::hub;
use crate::image::memory_limit::prune::{self, Decision};
use crate::image::own_images;
use crate::output::json::{Action, Pruned};
use crate::output::{Format, Output, text};
use crate::settings::hub::cache_folder;
use crate::settings::size::HumanSize;

/// Why something stays that a run has started to use.
const IN_USE: &str = "a run is using it";

/// Something that may be removed.
struct Item {
    what: What,
    name: String,
    /// What its removal gives back; `None` if unknown.
    bytes: Option<u64>,
    /// How many files it has, if it is a folder.
    files: Option<usize>,
    action: Action,
    reason: String,
}

enum What {
    /// With its tags, or its id if it has none.
    Image {
        id: String,
        tags: Vec<String>,
    },
    Builder,
    Cache(PathBuf),
    Logs(Vec<PathBuf>),
}

pub(super) fn run(args: &PruneArgs, session: &Session) -> Result<Exit, SandboxError> {
    let output = &session.output;
    let mut items = find(args, session)?;
    let count = items.iter().filter(|item| item.action == Action::WouldRemove).count();
    let asks = count > 0 && !args.dry_run && !args.yes && session.can_ask();
    if args.dry_run || asks {
        print_all(&items, args, output)?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if asks && !session.confirm("remove all this?")? {
        output.note("nothing was removed");
        return Ok(Exit::Failure);
    }
    let removed = items.iter_mut().filter(|item| item.action == Action::WouldRemove).try_for_each(|item| {
        session.interrupt.check()?;
        remove(item, args.older_than, session)?;
        if output.format() == Format::Json { Ok(()) } else { print(item, args, output) }
    });
    if output.format() == Format::Json {
        print_all(&items, args, output)?;
    } else {
        if output.is_verbose() {
            let kept = items.iter().filter(|item| item.action == Action::Kept);
            kept.for_each(|item| output.note(&line("keep", item)));
        }
        print_total(&items, Action::Removed, output);
    }
    removed.map(|()| Exit::Done)
}

fn find(args: &PruneArgs, session: &Session) -> Result<Vec<Item>, SandboxError> {
    let is_all = !(args.images || args.builders || args.cache || args.logs);
    let mut items = Vec::new();
    if is_all || args.images {
        find_images(args.older_than, session.client.docker()?, &mut items)?;
    }
    if args.builders {
        find_builders(args.older_than, session, &mut items)?;
    } else if is_all && session.client.settings().needed_cache_folder().is_ok() {
        match find_builders(args.older_than, session, &mut items) {
            Err(error @ SandboxError::Interrupted(_)) => return Err(error),
            // Without buildx, there are no builders.
            Err(error) => session.output.trace(&format!("builders: {error}")),
            Ok(()) => {}
        }
    }
    if is_all || args.cache {
        find_cache(args.older_than, session, &mut items)?;
    }
    if is_all || args.logs {
        find_logs(args.older_than, session, &mut items);
    }
    Ok(items)
}

fn find_images(older_than: Duration, docker: &Docker, items: &mut Vec<Item>) -> Result<(), SandboxError> {
    let (images, now) = (own_images::list_with_untagged(docker)?, SystemTime::now());
    if images.is_empty() {
        return Ok(());
    }
    let sizes = docker.unique_sizes().inspect_err(|failure| docker.note(&format!("sizes: {failure}"))).ok();
    for image in images {
        let (mut is_removed, mut reason) = own_images::decide(&image, now, older_than);
        if is_removed && !own_images::is_as_built(docker, &image)? {
            (is_removed, reason) = (false, "it was built on top of an image of this tool".to_owned());
        }
        let bytes = sizes.as_ref().and_then(|sizes| sizes.get(&image.details.id).copied());
        let action = if is_removed { Action::WouldRemove } else { Action::Kept };
        let name = match &image.tags[..] {
            [one] => one.clone(),
            [one, others @ ..] => {
                format!("{one} and {} more name{}", others.len(), if others.len() == 1 { "" } else { "s" })
            }
            [] => image.details.id.clone(),
        };
        let (id, mut tags) = (image.details.id, image.tags);
        if tags.is_empty() {
            tags.push(id.clone());
        }
        let what = What::Image { id, tags };
        items.push(Item { what, name, bytes, files: None, action, reason });
    }
    Ok(())
}

fn find_builders(older_than: Duration, session: &Session, items: &mut Vec<Item>) -> Result<(), SandboxError> {
    let cache = session.client.settings().needed_cache_folder()?;
    for builder in prune::find_builders(session.client.docker()?, cache, older_than)? {
        let action = match builder.decision {
            Decision::Remove => Action::WouldRemove,
            Decision::Keep => Action::Kept,
        };
        let (name, bytes, reason) = (builder.name, builder.bytes, builder.reason);
        items.push(Item { what: What::Builder, name, bytes, files: None, action, reason });
    }
    Ok(())
}

fn find_cache(older_than: Duration, session: &Session, items: &mut Vec<Item>) -> Result<(), SandboxError> {
    let Some(folder) = cache_folder(&session.variables) else { return Ok(()) };
    let Some(content) = hub::prune(&folder, older_than, true, &session.interrupt)? else { return Ok(()) };
    if content.files == 0 {
        return Ok(());
    }
    let (action, reason) = if content.is_in_use {
        (Action::Kept, IN_USE.to_owned())
    } else {
        (Action::WouldRemove, unused(older_than))
    };
    let name = folder.display().to_string();
    let (bytes, files) = (Some(content.size), Some(content.files));
    items.push(Item { what: What::Cache(folder), name, bytes, files, action, reason });
    Ok(())
}

fn unused(older_than: Duration) -> String {
    if older_than.is_zero() {
        return "they can be fetched again".to_owned();
    }
    format!("they have not been used for {}", humantime::format_duration(older_than))
}

fn find_logs(older_than: Duration, session: &Session, items: &mut Vec<Item>) {
    let Some(folder) = session.client.settings().logs_folder() else { return };
    let mut files = logs::list(&folder);
    let (mut bytes, now) = (0, SystemTime::now());
    files.retain(|file| {
        let Ok(metadata) = fs::symlink_metadata(file) else { return false };
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let is_old = now.duration_since(written).unwrap_or_default() >= older_than;
        bytes += if is_old { metadata.len() } else { 0 };
        is_old
    });
    if files.is_empty() {
        return;
    }
    let (name, count) = (folder.display().to_string(), files.len());
    let reason = "logs of failed builds and starts".to_owned();
    let (bytes, files) = (Some(bytes), What::Logs(files));
    items.push(Item { what: files, name, bytes, files: Some(count), action: Action::WouldRemove, reason });
}

/// Removes one thing, or keeps it with another reason if it has come into use.
fn remove(item: &mut Item, older_than: Duration, session: &Session) -> Result<(), SandboxError> {
    let is_removed = match &item.what {
        What::Image { tags, .. } => match session.client.docker()?.remove_image(tags) {
            Ok(()) => true,
            Err(failure) => match failure.as_docker_error() {
                Some(error) => return Err(error),
                // A container was created in the meantime, for example.
                None => {
                    item.reason = failure.stderr.lines().last().unwrap_or_default().trim().to_owned();
                    session.output.warn(&format!("the image {} was not removed: {}", item.name, item.reason));
                    false
                }
            },
        },
        What::Builder => {
            let cache = session.client.settings().needed_cache_folder()?;
            let is_removed = prune::remove_builder(session.client.docker()?, &item.name, cache)?;
            if !is_removed {
                prune::IN_USE.clone_into(&mut item.reason);
            }
            is_removed
        }
        What::Cache(folder) => match hub::prune(folder, older_than, false, &session.interrupt)? {
            Some(content) if content.is_in_use => {
                IN_USE.clone_into(&mut item.reason);
                false
            }
            Some(content) => {
                (item.files, item.bytes) = (Some(content.files), Some(content.size));
                true
            }
            None => true,
        },
        What::Logs(files) => {
            for file in files {
                match fs::remove_file(file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(cannot_write(file, &error, "check the permissions of its folder"));
                    }
                    _ => {}
                }
            }
            true
        }
    };
    item.action = if is_removed { Action::Removed } else { Action::Kept };
    Ok(())
}

fn print_all(items: &[Item], args: &PruneArgs, output: &Output) -> Result<(), SandboxError> {
    if output.format() == Format::Json {
        let pruned: Vec<Pruned<'_>> = items.iter().map(pruned).collect();
        return output.json_list(&pruned, args.format);
    }
    items.iter().try_for_each(|item| print(item, args, output))?;
    print_total(items, Action::WouldRemove, output);
    Ok(())
}

/// The names of what is removed are the result; why, and what stays, is for people.
fn print(item: &Item, args: &PruneArgs, output: &Output) -> Result<(), SandboxError> {
    match item.action {
        Action::Kept if args.dry_run || output.is_verbose() => output.note(&line("keep", item)),
        Action::Kept => {}
        Action::WouldRemove => {
            output.note(&line("would remove", item));
            // When it asks, the results follow the answer.
            if args.dry_run {
                print_names(item, output)?;
            }
        }
        Action::Removed | Action::Stopped => {
            output.note(&line("removed", item));
            print_names(item, output)?;
        }
    }
    Ok(())
}

fn print_names(item: &Item, output: &Output) -> Result<(), SandboxError> {
    match &item.what {
        What::Image { tags, .. } => tags.iter().try_for_each(|tag| output.result(tag)),
        _ => output.result(&item.name),
    }
}

fn line(verb: &str, item: &Item) -> String {
    let size = item.bytes.map_or("unknown size".to_owned(), |bytes| HumanSize(bytes).to_string());
    let size = match item.files {
        Some(files) => text::files(files, size),
        None => size,
    };
    format!("{verb} {} ({size}): {}", item.name, item.reason)
}

fn print_total(items: &[Item], action: Action, output: &Output) {
    let chosen = items.iter().filter(|item| item.action == action);
    let total: u64 = chosen.clone().filter_map(|item| item.bytes).sum();
    let verb = if action == Action::Removed { "gave back" } else { "would give back" };
    if chosen.clone().next().is_none() {
        output.note("there is nothing to remove");
    } else if total > 0 {
        output.note(&format!("{verb} {}", HumanSize(total)));
    }
    if chosen.clone().any(|item| matches!(item.what, What::Image { .. })) {
        output.note("layers that the build cache holds stay until `docker builder prune`");
    }
}

fn pruned(item: &Item) -> Pruned<'_> {
    let (kind, image_id) = match &item.what {
        What::Image { id, .. } => ("image", Some(id.as_str())),
        What::Builder => ("builder", None),
        What::Cache(_) => ("cache", None),
        What::Logs(_) => ("logs", None),
    };
    Pruned {
        kind,
        name: match &item.what {
            What::Image { tags, .. } => tags.first().map_or(item.name.as_str(), String::as_str),
            _ => &item.name,
        },
        image_id,
        action: item.action,
        reason: &item.reason,
        files: item.files,
        bytes: item.bytes,
    }
}
