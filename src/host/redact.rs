//! Replaces known passwords in text before it is shown or kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The replacement for a password.
const STARS: &str = "***";

/// Shorter passwords may be part of ordinary words. They are only hidden between delimiters.
const SHORT: usize = 4;

/// The texts to hide.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    /// Sorted by length, longest first, so that a secret inside another one is not replaced first.
    secrets: Vec<String>,
}

impl Redactor {
    /// Hides a password in all forms in which tools print it.
    pub(crate) fn hide(&mut self, password: &str) {
        self.hide_text(password);
        self.hide_text(&decoded(password));
    }

    /// Hides the password of every address in a text: `https://user:password@host`, or a token alone.
    pub(crate) fn hide_logins(&mut self, text: &str) {
        for login in logins(text) {
            let plain = decoded(login);
            for login in [login, &plain] {
                match login.split_once(':') {
                    Some((_, "")) | None => self.hide_text(login.trim_end_matches(':')),
                    Some((_, password)) => {
                        self.hide_text(password);
                        // This also hides short passwords.
                        self.add(format!("{login}@"));
                    }
                }
                self.add(STANDARD.encode(login));
            }
        }
    }

    fn hide_text(&mut self, secret: &str) {
        if secret.len() >= SHORT {
            self.add(secret.to_owned());
        }
    }

    fn add(&mut self, secret: String) {
        if !self.secrets.contains(&secret) {
            self.secrets.push(secret);
            self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// Replaces all secrets in a text.
    pub(crate) fn apply(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| {
            let end = if secret.ends_with('@') { "@" } else { "" };
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), &format!("{STARS}{end}"))
            } else {
                text
            }
        })
    }

    /// The position up to which a text can be shown: after it, a secret may start that continues in the next
    /// piece.
    fn safe_end(&self, text: &str) -> usize {
        let may_start = |start: usize| self.secrets.iter().any(|secret| secret.starts_with(&text[start..]));
        let longest = self.secrets.first().map_or(0, String::len);
        let from = text.len().saturating_sub(longest);
        text.char_indices()
            .map(|(start, _)| start)
            .filter(|start| *start >= from)
            .find(|start| may_start(*start))
            .unwrap_or(text.len())
    }
}

/// Redacts a stream in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct RedactedStream {
    held: String,
}

impl RedactedStream {
    /// Takes the next piece, and returns the text up to where a secret may start.
    pub(crate) fn push(&mut self, redactor: &Redactor, piece: &str) -> String {
        self.held.push_str(piece);
        let rest = self.held.split_off(redactor.safe_end(&self.held));
        redactor.apply(&std::mem::replace(&mut self.held, rest))
    }

    /// Returns the rest at the end of the stream.
    pub(crate) fn finish(&mut self, redactor: &Redactor) -> String {
        redactor.apply(&std::mem::take(&mut self.held))
    }
}

/// The authority (`user:password@host:port`) of each address in a text.
pub(crate) fn authorities(text: &str) -> impl Iterator<Item = &str> {
    text.split("://")
        .skip(1)
        .map(|rest| rest.split(['/', '?', '#', ' ', '\t', ',']).next().unwrap_or_default())
}

/// The login (the part before `@`) of each address in a text.
fn logins(text: &str) -> impl Iterator<Item = &str> {
    authorities(text)
        .filter_map(|authority| authority.rsplit_once('@').map(|(login, _)| login))
        .filter(|login| !login.is_empty())
}

/// Removes the logins of all addresses in a text.
pub(crate) fn without_logins(text: &str) -> String {
    logins(text).fold(text.to_owned(), |text, login| text.replacen(&format!("://{login}@"), "://", 1))
}

/// Decodes percent-encoding.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(text: &str) -> Redactor {
        let mut redactor = Redactor::default();
        redactor.hide_logins(text);
        redactor
    }

    #[test]
    fn passwords_go_in_every_form() {
        let redactor = redactor("https://me:p%40ssword@host/simple https://t0k3n@other/simple");
        for (text, shown) in [
            ("from https://me:p%40ssword@host/simple/x", "from https://***@host/simple/x"),
            ("password p@ssword and p%40ssword", "password *** and ***"),
            ("Authorization: Basic bWU6cEBzc3dvcmQ=", "Authorization: Basic ***"),
            ("token t0k3n", "token ***"),
            ("nothing of the kind", "nothing of the kind"),
        ] {
            assert_eq!(redactor.apply(text), shown);
        }
    }

    #[test]
    fn logins_are_removed() {
        for (text, without) in [
            ("rlmesh==0.1.0", "rlmesh==0.1.0"),
            ("rlmesh @ https://me:pass@host/x.whl", "rlmesh @ https://host/x.whl"),
            ("rlmesh @ git+https://token@host/r@main", "rlmesh @ git+https://host/r@main"),
            ("rlmesh @ git+https://host/r@main", "rlmesh @ git+https://host/r@main"),
        ] {
            assert_eq!(without_logins(text), without);
        }
    }

    #[test]
    fn a_short_password_is_not_replaced_in_words() {
        let redactor = redactor("http://me:a@127.0.0.1:1/");
        assert_eq!(
            redactor.apply("a banana at http://me:a@127.0.0.1:1/"),
            "a banana at http://***@127.0.0.1:1/"
        );
    }

    #[test]
    fn a_password_in_pieces_is_replaced() {
        let redactor = redactor("https://me:hunter2hunter3@host/");
        let text = "é to https://me:hunter2hunter3@host/ hunter2hunter3 hunter and on";
        for size in 1..text.len() {
            let mut stream = RedactedStream::default();
            let mut shown = String::new();
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(size) {
                shown += &stream.push(&redactor, &piece.iter().collect::<String>());
            }
            shown += &stream.finish(&redactor);
            assert_eq!(shown, "é to https://***@host/ *** hunter and on", "pieces of {size}");
        }
    }

    #[test]
    fn without_secrets_nothing_is_held_back() {
        let mut stream = RedactedStream::default();
        assert_eq!(stream.push(&Redactor::default(), "any text"), "any text");
        assert_eq!(stream.finish(&Redactor::default()), "");
    }
}
