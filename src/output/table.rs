//! Tables that fit the terminal.

/// The space between two columns.
const GAP: usize = 2;

/// A column of a table.
pub(crate) struct Column {
    pub(crate) heading: &'static str,
    /// The width to which its cells may be cut; `None` if they are never cut.
    pub(crate) narrowest: Option<usize>,
    /// Columns with a higher rank are left out first. Those with rank 0 always stay.
    pub(crate) rank: u8,
}

impl Column {
    pub(crate) const fn fixed(heading: &'static str, rank: u8) -> Self {
        Self { heading, narrowest: None, rank }
    }

    pub(crate) const fn flexible(heading: &'static str, narrowest: usize, rank: u8) -> Self {
        Self { heading, narrowest: Some(narrowest), rank }
    }
}

/// A table with headings. Without `width`, each column is as wide as its widest cell. Otherwise, columns are cut or
/// left out so that each line has at most `width` columns of the terminal.
pub(crate) fn table(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let natural: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| width_of(cell));
            cells.chain([column.heading.len()]).max().unwrap_or_default()
        })
        .collect();
    let widths = fitted(columns, &natural, width);
    let line = |cells: &[&str]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths).filter_map(|(cell, width)| Some((cell, (*width)?))) {
            let cell = cut(cell, width);
            line.push_str(&cell);
            line.push_str(&" ".repeat(width.saturating_sub(width_of(&cell)) + GAP));
        }
        line.trim_end().to_owned()
    };
    let headings: Vec<&str> = columns.iter().map(|column| column.heading).collect();
    let rows = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    std::iter::once(line(&headings)).chain(rows).collect::<Vec<_>>().join("\n")
}

/// The width of each column; `None` for one that is left out.
fn fitted(columns: &[Column], natural: &[usize], width: Option<usize>) -> Vec<Option<usize>> {
    let Some(width) = width else { return natural.iter().copied().map(Some).collect() };
    let least = |at: usize| columns[at].narrowest.map_or(natural[at], |narrowest| narrowest.min(natural[at]));
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let total =
        |kept: &[usize]| kept.iter().map(|at| least(*at)).sum::<usize>() + GAP * kept.len().saturating_sub(1);
    while total(&kept) > width {
        let last = kept.iter().copied().filter(|at| columns[*at].rank > 0).max_by_key(|at| columns[*at].rank);
        let Some(last) = last else { break };
        kept.retain(|at| *at != last);
    }
    let mut room = width.saturating_sub(total(&kept));
    let mut widths: Vec<Option<usize>> = vec![None; columns.len()];
    // The columns that stay longest get the room first.
    kept.sort_by_key(|at| columns[*at].rank);
    for at in kept {
        let more = (natural[at] - least(at)).min(room);
        room -= more;
        widths[at] = Some(least(at) + more);
    }
    widths
}

/// How many columns of a terminal a text takes. East Asian characters and symbols count as two, which is never too
/// few.
pub(crate) fn width_of(text: &str) -> usize {
    text.chars().map(|c| if c < '\u{1100}' || matches!(c, '\u{2000}'..='\u{206f}') { 1 } else { 2 }).sum()
}

/// Cuts a text to a width.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let mut result = String::new();
    for c in text.chars() {
        if width_of(&result) + width_of(c.encode_utf8(&mut [0; 4])) + 1 > width {
            break;
        }
        result.push(c);
    }
    result.push('…');
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Column; 3] {
        [Column::fixed("ID", 0), Column::flexible("SOURCE", 4, 0), Column::flexible("NAME", 6, 1)]
    }

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![row(["45d5", "CartPole-v1", "cartpole-v1-ab3f"]), row(["c0ff", "日本語", ""])]
    }

    #[test]
    fn columns_line_up_and_nothing_trails() {
        assert_eq!(
            table(&columns(), &rows(), None),
            "ID    SOURCE       NAME\n45d5  CartPole-v1  cartpole-v1-ab3f\nc0ff  日本語"
        );
    }

    #[test]
    fn a_table_fits_any_width() {
        for width in 10..80 {
            let text = table(&columns(), &rows(), Some(width));
            assert!(text.lines().all(|line| width_of(line) <= width), "{width}:\n{text}");
            assert!(text.contains("45d5") && text.lines().count() == 3, "{width}:\n{text}");
        }
        assert_eq!(table(&columns(), &rows(), Some(17)), "ID    SOURCE\n45d5  CartPole-v1\nc0ff  日本語");
        assert!(table(&columns(), &rows(), Some(26)).contains("CartPole-v1  cartpo…"));
        assert_eq!(table(&columns(), &[], Some(12)), "ID  SOURCE");
    }

    #[test]
    fn a_text_is_cut_by_the_columns_that_it_takes() {
        assert_eq!(
            (cut("abcd", 4), cut("abcde", 4), cut("日本語", 4)),
            ("abcd".into(), "abc…".into(), "日…".into())
        );
        assert_eq!((cut("äbcde", 4), cut("", 4)), ("äbc…".into(), String::new()));
    }
}
