//! What a value of the configuration can do: read itself from text, show itself as text.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A value that a key can have.
///
/// Every layer hands text over (a TOML number as its digits), so that a value means the same wherever it
/// stands.
pub(crate) trait Setting: Sized {
    /// True where the value must not be seen: it is refused on the command line and shown redacted.
    const SECRET: bool = false;

    /// Reads the value.
    ///
    /// # Errors
    /// What the text should have been, as a sentence that follows the key and the text.
    fn read(text: &str) -> Result<Self, String>;

    /// Shows the value as [`Setting::read`] reads it; `None` where nothing is set.
    fn show(&self) -> Option<String>;
}

impl Setting for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Setting for PathBuf {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must be a path".to_owned()) } else { Ok(Self::from(text)) }
    }

    fn show(&self) -> Option<String> {
        Some(self.display().to_string())
    }
}

impl Setting for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| "must be an address and a port, such as 127.0.0.1:9464 or [::1]:9464".to_owned())
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Reads a count, with or without `_` between the digits.
fn count<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    let refuse = || format!("must be a whole number of at most {} bits, without a sign", size_of::<N>() * 8);
    digits.parse::<u64>().ok().and_then(|number| N::try_from(number).ok()).ok_or_else(refuse)
}

impl Setting for u32 {
    fn read(text: &str) -> Result<Self, String> {
        count(text)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for u64 {
    fn read(text: &str) -> Result<Self, String> {
        count(text)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// An empty text unsets, so that an environment variable can undo what a file says.
impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { T::read(text).map(Some) }
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Setting::show)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_underscores_and_refuse_what_does_not_fit() {
        assert_eq!(u32::read("250_000"), Ok(250_000));
        for text in ["", "-1", "1.5", "4294967296", "ten"] {
            assert!(u32::read(text).unwrap_err().contains("32 bits"), "{text}");
        }
        assert_eq!(u64::read("4294967296"), Ok(1 << 32));
    }

    #[test]
    fn empty_text_unsets_an_option() {
        assert_eq!(Option::<String>::read(""), Ok(None));
        assert_eq!(Option::<String>::read("a"), Ok(Some("a".to_owned())));
    }
}
