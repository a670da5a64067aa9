//! `images`: the images that this tool and the SDK built.

use crate::cli::ImagesArgs;
use crate::commands::Session;
use crate::engine::docker::inspection::short;
use crate::error::{Exit, SandboxError};
use crate::image::own_images::{self, OwnImage};
use crate::output::json::ListedImage;
use crate::output::table::{self, Column};
use crate::output::{Format, text};
use crate::settings::size::HumanSize;

const COLUMNS: [Column; 6] = [
    Column::flexible("IMAGE", 40, 0),
    Column::fixed("ID", 3),
    Column::fixed("SIZE", 0),
    Column::fixed("AGE", 1),
    Column::fixed("USED", 2),
    Column::flexible("BASE IMAGE", 10, 4),
];

pub(super) fn run(args: &ImagesArgs, session: &Session) -> Result<Exit, SandboxError> {
    let output = &session.output;
    let images = own_images::list(session.client.docker()?)?;
    let tags: Vec<(&OwnImage, &str)> =
        images.iter().flat_map(|image| image.tags.iter().map(move |tag| (image, tag.as_str()))).collect();
    if output.format() == Format::Json {
        let listed: Vec<ListedImage<'_>> = tags.iter().map(|(image, tag)| listed(image, tag)).collect();
        output.json_list(&listed, args.format)?;
    } else if output.is_quiet() {
        tags.iter().try_for_each(|(_, tag)| output.result(tag))?;
    } else {
        let rows: Vec<Vec<String>> = tags.iter().map(|(image, tag)| row(image, tag)).collect();
        output.result(&table::table(&COLUMNS, &rows, output.width()))?;
    }
    Ok(Exit::Done)
}

fn listed<'a>(image: &'a OwnImage, tag: &'a str) -> ListedImage<'a> {
    let details = &image.details;
    ListedImage {
        image: tag,
        image_id: &details.id,
        source: details.label("rlmesh.image.source"),
        base_image: details.label("org.opencontainers.image.base.name"),
        rlmesh_package: details.label("rlmesh.image.rlmesh-package"),
        bytes: details.size,
        created: &details.created,
        containers: image.containers,
    }
}

fn row(image: &OwnImage, tag: &str) -> Vec<String> {
    let details = &image.details;
    let id = details.id.strip_prefix("sha256:").unwrap_or(&details.id);
    vec![
        tag.to_owned(),
        short(id).to_owned(),
        HumanSize(details.size).to_string(),
        text::age(&details.created).unwrap_or_else(|| "-".to_owned()),
        image.containers.to_string(),
        text::one_line(details.label("org.opencontainers.image.base.name").unwrap_or("-")),
    ]
}
