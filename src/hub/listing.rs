//! The Hub's answers about repositories: the commit that a revision names, and the entries of a commit, page by page.

use std::io::{self, BufReader};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use ureq::Body;
use ureq::http::{HeaderMap, header};
use url::Url;

use crate::hub::client::{Client, Reach};
use crate::hub::failure::Fault;
use crate::hub::report_pause;
use crate::hub::retry::Patience;
use crate::hub::tree::{ListedEntry, ListingError, Tree, TreeBuilder};
use crate::progress::Listener;

/// The largest answer about a repository, in bytes. It names each file: about 100 bytes for each of 100,000.
const LARGEST_INFO: u64 = 16 << 20;

/// The largest page of a listing, in bytes. The Hub's have 1000 entries of about 250 bytes; a mirror's may have
/// all entries.
const LARGEST_PAGE: u64 = 32 << 20;

#[derive(Deserialize)]
struct Model {
    sha: Option<String>,
}

/// The commit that the Hub names at an address of its model API.
///
/// # Errors
/// [`Fault`].
pub(crate) fn commit(
    client: &Client,
    address: &Url,
    patience: Patience,
    on_event: &mut Listener<'_>,
) -> Result<String, Fault> {
    client.with_retries(patience, &mut |pause, fault| report_pause(on_event, pause, fault), || {
        let answer = client.get(address, 0, Reach::Hub)?;
        let model: Model = serde_json::from_reader(reader(answer.into_body(), LARGEST_INFO))
            .map_err(|error| wrong_json(client, error, address))?;
        // It becomes part of paths, of the image's hash and of messages.
        model
            .sha
            .filter(|sha| {
                sha.len() == 40 && sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            })
            .ok_or_else(|| Fault::Unexpected("it does not name a full commit id".to_owned()))
    })
}

/// The whole tree at an address of the Hub's tree API.
///
/// # Errors
/// [`Fault`]; [`Fault::Unsafe`] for a listing that must not be used.
pub(crate) fn tree(client: &Client, address: &Url, on_event: &mut Listener<'_>) -> Result<Tree, Fault> {
    let mut builder = TreeBuilder::default();
    let mut page = address.clone();
    page.set_query(Some("recursive=true"));
    loop {
        let mut reader = PageReader { builder: &mut builder, taken: 0, error: None };
        let next = client.with_retries(
            Patience::Usual,
            &mut |pause, fault| report_pause(on_event, pause, fault),
            || reader.read(client, &page),
        )?;
        let Some(query) = next else { return Ok(builder.finish()) };
        if reader.taken == 0 || Some(query.as_str()) == page.query() {
            return Err(Fault::Unexpected("its listing never ends".to_owned()));
        }
        page.set_query(Some(&query));
    }
}

/// Adds the entries of one page to the tree. If the connection breaks, the page is requested again, and the
/// entries that were taken are skipped.
struct PageReader<'a> {
    builder: &'a mut TreeBuilder,
    taken: usize,
    error: Option<ListingError>,
}

impl PageReader<'_> {
    /// Reads the page, and returns the query of the next one.
    fn read(&mut self, client: &Client, address: &Url) -> Result<Option<String>, Fault> {
        let answer = client.get(address, 0, Reach::Hub)?;
        let next = next_query(answer.headers(), address)?;
        let mut json = serde_json::Deserializer::from_reader(reader(answer.into_body(), LARGEST_PAGE));
        let read = Entries { page: self }.deserialize(&mut json).and_then(|()| json.end());
        match (read, self.error.take()) {
            (_, Some(error)) => Err(Fault::Unsafe(error)),
            (Ok(()), None) => Ok(next),
            (Err(error), None) => Err(wrong_json(client, error, address)),
        }
    }
}

/// The entries of a page, each checked before the next one is read.
struct Entries<'a, 'b> {
    page: &'a mut PageReader<'b>,
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(entry) = entries.next_element::<ListedEntry>()? {
            count += 1;
            if count <= self.page.taken {
                continue;
            }
            if let Err(error) = self.page.builder.add(entry) {
                self.page.error = Some(error);
                return Err(serde::de::Error::custom("refused"));
            }
            self.page.taken = count;
        }
        Ok(())
    }
}

fn reader(body: Body, limit: u64) -> impl io::Read {
    BufReader::new(body.into_with_config().limit(limit).reader())
}

/// Why an answer could not be read: the connection broke, or it is not the JSON of a Hub.
fn wrong_json(client: &Client, error: serde_json::Error, address: &Url) -> Fault {
    if error.is_io() {
        return client.fault(io::Error::from(error).into(), address);
    }
    if error.is_eof() {
        return client.fault(io::Error::from(io::ErrorKind::UnexpectedEof).into(), address);
    }
    Fault::Unexpected(error.to_string())
}

/// The query of the next page. The rest of the link is not used: a mirror may pass on links to the Hub that it
/// mirrors, and no server decides where the token is sent.
fn next_query(headers: &HeaderMap, address: &Url) -> Result<Option<String>, Fault> {
    let not_valid = || Fault::Unexpected("its link to the next page is not valid".to_owned());
    for value in headers.get_all(header::LINK) {
        let mut rest = value.to_str().map_err(|_| not_valid())?;
        while let Some((_, link)) = rest.split_once('<') {
            let (target, after) = link.split_once('>').ok_or_else(not_valid)?;
            let parameters = after.split(',').next().unwrap_or_default();
            let is_next = parameters.split(';').any(|parameter| {
                parameter.trim().split_once('=').is_some_and(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("rel")
                        && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
                })
            });
            if is_next {
                let target = address.join(target).map_err(|_| not_valid())?;
                return target.query().map(|query| Some(query.to_owned())).ok_or_else(not_valid);
            }
            rest = after;
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_of_a_link_is_followed() {
        let address = Url::parse("http://127.0.0.1:1/api/models/o/r/tree/c?recursive=true").unwrap();
        for (link, query) in [
            (
                "<https://huggingface.co/api/x?recursive=true&cursor=a%3D>; rel=\"next\"",
                Some("recursive=true&cursor=a%3D"),
            ),
            ("</api/x?cursor=a,b>; title=x; rel=next", Some("cursor=a,b")),
            ("<http://x/?a=1>; rel=\"prev\", <http://evil/?a=2>; rel=\"next\"", Some("a=2")),
            ("<http://x/?a=1>; rel=\"last\"", None),
        ] {
            let headers = [(header::LINK, link.parse().unwrap())].into_iter().collect();
            assert_eq!(next_query(&headers, &address).unwrap().as_deref(), query, "{link}");
        }
        for link in ["<http://x/>; rel=next", "<http://[/>; rel=next", "<x"] {
            let headers = [(header::LINK, link.parse().unwrap())].into_iter().collect();
            assert!(next_query(&headers, &address).is_err(), "{link}");
        }
    }
}
