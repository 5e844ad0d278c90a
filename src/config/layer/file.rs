//! The configuration file: TOML, flattened to keys with their lines.

use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Layer;
use crate::config::error::{ConfigError, Finding};
use crate::config::origin::Origin;

/// Reads the file at `path`.
///
/// # Errors
/// The file cannot be read, or is not TOML.
pub(in crate::config) fn from_file(path: &Path) -> Result<Layer, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(&text, span.start)),
        message: error.message().to_owned(),
    })?;
    let mut flattened = Flattened { path, text: &text, layer: Layer::default() };
    flattened.table("", table.get_ref());
    Ok(flattened.layer)
}

struct Flattened<'a> {
    path: &'a Path,
    text: &'a str,
    layer: Layer,
}

impl Flattened<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        // The parser sorts by key; problems are reported in the order of the file.
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (name, value) in entries {
            let key = format!("{prefix}{}", name.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.table(&format!("{key}."), inner),
                _ => self.leaf(key, value),
            }
        }
    }

    fn leaf(&mut self, key: String, value: &Spanned<DeValue<'_>>) {
        let origin =
            Origin::File { path: self.path.to_owned(), line: line_of(self.text, value.span().start) };
        match text_of(value.get_ref()) {
            Some(text) => self.layer.assign(key, text, origin),
            None => {
                let what = format!("cannot be {}", kind_of(value.get_ref()));
                self.layer
                    .refuse(origin, Finding::new(key, what).cure("write a text in quotes or a whole number"));
            }
        }
    }
}

/// Returns a scalar or a list of scalars as text; `None` for anything else.
fn text_of(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| text_of(item.get_ref())).collect();
            items.map(|items| items.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list of tables",
        _ => "this number",
    }
}

/// Returns the line that the byte at `offset` is on, from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layer, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.toml");
        fs::write(&path, text).unwrap();
        from_file(&path)
    }

    #[test]
    fn tables_dotted_and_quoted_keys_flatten_alike_and_keep_their_lines() {
        let layer = read(
            "threads = 0x10\n[kafka]\nbrokers = [\"a:1\", \"b:2\"]\n\n\
             [kafka.consumer]\nfetch.min.bytes = 7\n\"x.y\" = true\n",
        );
        let layer = layer.unwrap();
        let found: Vec<_> = layer
            .assignments
            .iter()
            .map(|set| match &set.origin {
                Origin::File { line, .. } => (set.key.as_str(), set.text.as_str(), *line),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            ("threads", "16", 1),
            ("kafka.brokers", "a:1,b:2", 3),
            ("kafka.consumer.fetch.min.bytes", "7", 6),
            ("kafka.consumer.x.y", "true", 7),
        ];
        assert_eq!(found, expected);
        assert_eq!(layer.problems, []);
    }

    #[test]
    fn values_that_are_no_text_are_refused_at_their_line() {
        let layer = read("\na = 1.5\nb = 2026-11-20\n[[c]]\nd = 1\n").unwrap();
        let shown: Vec<_> = layer.problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 3, "{shown:?}");
        assert!(shown[0].contains("m.toml:2: a cannot be a number with a fraction"), "{shown:?}");
        assert!(shown[2].contains("c cannot be a list of tables"), "{shown:?}");
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = read("a = 1\nb = \n").unwrap_err().to_string();
        assert!(error.contains("m.toml:2: "), "{error}");
        let missing = from_file(Path::new("/nonexistent/m.toml")).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/m.toml"), "{missing}");
    }
}
