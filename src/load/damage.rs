//! Surgery on good events: each function breaks one thing and leaves the rest as it was.
//!
//! It knows the text that `event` writes (no white space, no escapes), not JSON in general.

/// Returns the bounds of the first field of that name: its name with the colon, and its value.
fn find(json: &str, field: &str) -> Option<(usize, usize, usize)> {
    let name = format!("\"{field}\":");
    let start = json.find(&name)?;
    let value = start + name.len();
    Some((start, value, value + value_length(json.get(value..)?)))
}

/// Returns the length of the value that `text` begins with.
fn value_length(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut in_string = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' | '[' => depth += 1,
            '}' | ']' | ',' if depth == 0 => return at,
            '}' | ']' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Replaces the value of a field by raw text.
pub(super) fn set(json: &str, field: &str, raw: &str) -> Vec<u8> {
    match find(json, field) {
        Some((_, value, end)) => [json.get(..value), Some(raw), json.get(end..)]
            .into_iter()
            .flatten()
            .collect::<String>()
            .into_bytes(),
        None => json.as_bytes().to_vec(),
    }
}

/// Renames a field, which is as good as removing it: unknown fields are ignored.
pub(super) fn lose(json: &str, field: &str) -> Vec<u8> {
    json.replacen(&format!("\"{field}\":"), &format!("\"was-{field}\":"), 1).into_bytes()
}

/// Adds raw text right after the first brace of the payload.
pub(super) fn add_to_payload(json: &str, raw: &str) -> Vec<u8> {
    json.replacen("\"payload\":{", &format!("\"payload\":{{{raw},"), 1).into_bytes()
}

/// Adds raw bytes to the beginning of the order's number.
pub(super) fn into_text(json: &str, raw: &[u8]) -> Vec<u8> {
    let at = find(json, "orderNo").map_or(0, |(_, value, _)| value + 1);
    let (before, after) = json.as_bytes().split_at(at);
    [before, raw, after].concat()
}

/// Fills up with spaces, which JSON permits after the text.
pub(super) fn fill_to(json: &str, length: usize) -> Vec<u8> {
    let mut bytes = json.as_bytes().to_vec();
    bytes.resize(bytes.len().max(length), b' ');
    bytes
}

#[cfg(test)]
mod tests {
    use super::{add_to_payload, fill_to, into_text, lose, set};

    const JSON: &str = r#"{"a":"x,}","payload":{"orderNo":"N","n":5,"items":[{"n":1},{"n":2}],"last":7}}"#;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn exactly_one_thing_changes() {
        assert_eq!(text(set(JSON, "a", "0")), JSON.replace(r#""x,}""#, "0"));
        assert_eq!(text(set(JSON, "n", "6")), JSON.replacen(":5", ":6", 1));
        assert_eq!(text(set(JSON, "items", "{}")), JSON.replace(r#"[{"n":1},{"n":2}]"#, "{}"));
        assert_eq!(text(set(JSON, "last", "8")), JSON.replace(":7}}", ":8}}"));
        assert_eq!(text(set(JSON, "payload", "[]")), r#"{"a":"x,}","payload":[]}"#);
        assert_eq!(text(set(JSON, "none", "6")), JSON);
        assert_eq!(text(lose(JSON, "n")), JSON.replacen(r#""n""#, r#""was-n""#, 1));
        assert_eq!(text(add_to_payload(JSON, r#""k":1"#)), JSON.replace(r#"":{"o"#, r#"":{"k":1,"o"#));
        assert_eq!(text(into_text(JSON, b"--")), JSON.replace(r#""N""#, r#""--N""#));
        assert_eq!(text(fill_to(JSON, 100)).len(), 100);
    }
}
