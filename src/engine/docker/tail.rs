//! The end of an output, in limited memory.

/// How much of the end of a long output is kept, in bytes.
pub(crate) const LOG_TAIL: usize = 64 * 1024;

/// The end of an output, in limited memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > 2 * LOG_TAIL {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if let Some(excess) = self.bytes.len().checked_sub(LOG_TAIL).filter(|excess| *excess > 0) {
            self.bytes.drain(..excess);
            self.is_cut = true;
        }
    }

    /// The text. It starts with a whole line unless that would drop more than half of it.
    pub(crate) fn into_text(mut self) -> String {
        self.cut();
        let start = match self.bytes.iter().position(|byte| *byte == b'\n') {
            Some(newline) if self.is_cut && newline < LOG_TAIL / 2 => newline + 1,
            _ => 0,
        };
        String::from_utf8_lossy(&self.bytes[start..]).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_and_begins_with_a_whole_line() {
        let mut tail = Tail::default();
        for number in 0..50_000 {
            tail.push(format!("line {number}\n").as_bytes());
        }
        let text = tail.into_text();
        assert!(text.len() <= LOG_TAIL);
        assert!(text.starts_with("line ") && text.ends_with("line 49999"));
        let mut endless = Tail::default();
        endless.push("é".repeat(LOG_TAIL).as_bytes());
        endless.push(b"\n");
        assert!(endless.into_text().ends_with("éé"), "a line without an end is shown all the same");
        let mut short = Tail::default();
        short.push(b"one\ntwo\n");
        assert_eq!(short.into_text(), "one\ntwo");
    }
}
