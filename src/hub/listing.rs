//! The Hub's answers about repositories: the commit behind a name, and the entries of a commit, page by page; it keeps nothing.

use std::io::{self, BufReader};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use ureq::Body;
use ureq::http::{HeaderMap, header};
use url::Url;

use crate::hub::client::{Client, Patience, Reach};
use crate::hub::failure::Fault;
use crate::hub::tell_pause;
use crate::hub::tree::{Hostile, ListedEntry, Tree, TreeBuilder};
use crate::progress::Listener;

/// The most that is read of one answer, in bytes: far beyond what a Hub sends.
const LARGEST_ANSWER: u64 = 512 << 20;

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
    client.persistently(patience, &mut |pause, fault| tell_pause(on_event, pause, fault), || {
        let answer = client.get(address, 0, Reach::Hub)?;
        let model: Model = serde_json::from_reader(reader(answer.into_body()))
            .map_err(|error| wrong_json(client, error, address))?;
        // Whatever else it is, it would end in a path, in an image's hash and on the user's terminal.
        model
            .sha
            .filter(|sha| {
                sha.len() == 40 && sha.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            })
            .ok_or_else(|| Fault::Nonsense("it names no full commit id".to_owned()))
    })
}

/// Why there is no listing.
pub(crate) enum Failed {
    Fault(Fault),
    /// There is one, and it must not be used.
    Hostile(Hostile),
}

/// The whole tree at an address of the Hub's tree API.
///
/// # Errors
/// [`Failed`].
pub(crate) fn tree(client: &Client, address: &Url, on_event: &mut Listener<'_>) -> Result<Tree, Failed> {
    let mut builder = TreeBuilder::default();
    let mut page = address.clone();
    page.set_query(Some("recursive=true"));
    loop {
        let mut reading = Reading { builder: &mut builder, taken: 0, hostile: None };
        let next = client.persistently(
            Patience::Usual,
            &mut |pause, fault| tell_pause(on_event, pause, fault),
            || reading.page(client, &page),
        );
        if let Some(hostile) = reading.hostile {
            return Err(Failed::Hostile(hostile));
        }
        let Some(query) = next.map_err(Failed::Fault)? else { return Ok(builder.finish()) };
        if reading.taken == 0 || Some(query.as_str()) == page.query() {
            return Err(Failed::Fault(Fault::Nonsense("its listing has pages without an end".to_owned())));
        }
        page.set_query(Some(&query));
    }
}

/// A page on its way into the tree. A page that breaks off is asked for again, and what was taken is passed over.
struct Reading<'a> {
    builder: &'a mut TreeBuilder,
    taken: usize,
    hostile: Option<Hostile>,
}

impl Reading<'_> {
    /// Takes a page in, and gives the query of the next one.
    fn page(&mut self, client: &Client, address: &Url) -> Result<Option<String>, Fault> {
        let answer = client.get(address, 0, Reach::Hub)?;
        let next = next_query(answer.headers(), address)?;
        let mut json = serde_json::Deserializer::from_reader(reader(answer.into_body()));
        let read = Entries { reading: self }.deserialize(&mut json).and_then(|()| json.end());
        match read {
            // Not the network's fault: the caller looks at what was found.
            _ if self.hostile.is_some() => Ok(None),
            Ok(()) => Ok(next),
            Err(error) => Err(wrong_json(client, error, address)),
        }
    }
}

/// The entries of a page, each checked before the next one is read.
struct Entries<'a, 'b> {
    reading: &'a mut Reading<'b>,
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
        let mut at = 0;
        while let Some(entry) = entries.next_element::<ListedEntry>()? {
            at += 1;
            if at <= self.reading.taken {
                continue;
            }
            if let Err(hostile) = self.reading.builder.add(entry) {
                self.reading.hostile = Some(hostile);
                return Err(serde::de::Error::custom("refused"));
            }
            self.reading.taken = at;
        }
        Ok(())
    }
}

fn reader(body: Body) -> impl io::Read {
    BufReader::new(body.into_with_config().limit(LARGEST_ANSWER).reader())
}

/// An answer that broke off is the network's fault; one that is whole and no JSON is nobody's that we want.
fn wrong_json(client: &Client, error: serde_json::Error, address: &Url) -> Fault {
    if error.is_io() {
        return client.fault(io::Error::from(error).into(), address);
    }
    if error.is_eof() {
        return client.fault(io::Error::from(io::ErrorKind::UnexpectedEof).into(), address);
    }
    Fault::Nonsense(error.to_string())
}

/// The query of the next page. Only that: mirrors pass on links that name the Hub which they mirror, and
/// nobody is to send this program, with its token, elsewhere.
fn next_query(headers: &HeaderMap, address: &Url) -> Result<Option<String>, Fault> {
    let nonsense = || Fault::Nonsense("its link to the next page is none".to_owned());
    for value in headers.get_all(header::LINK) {
        let mut rest = value.to_str().map_err(|_| nonsense())?;
        while let Some((_, link)) = rest.split_once('<') {
            let (target, after) = link.split_once('>').ok_or_else(nonsense)?;
            let parameters = after.split(',').next().unwrap_or_default();
            let is_next = parameters.split(';').any(|parameter| {
                parameter.trim().split_once('=').is_some_and(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("rel")
                        && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
                })
            });
            if is_next {
                let target = address.join(target).map_err(|_| nonsense())?;
                return target.query().map(|query| Some(query.to_owned())).ok_or_else(nonsense);
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
